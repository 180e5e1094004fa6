"""How quality grows with the tokens of onedva that arrive, clip by clip, and what the tokens are:

    python tools/onedva_growth.py ../shared/data/val -o docs/models/onedva-growth.png --statistics
    docs/models/onedva-tokens.md

The middle of each clip (320x192, 17 frames) is coded once and decoded from prefixes of 1/64, 1/32 ... of the tokens at
--crf. Prints PSNR (luma and chroma as the codec weighs them) by clip, without painting and for each of --steps, and the
greatest fall from one prefix to the next. Statistics are of coefficients before coding, in picture units, by kind and
token.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onedva_clips import clips, codec_of

from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.onedva import Coding, OnedvaCodec, error_between
from xvcodec.codec.token_contexts import KINDS

WIDTH, HEIGHT, PARTS = 320, 192, 7
Values = dict[tuple[int, int], list[NDArray[np.float32]]]


def middle(planes: Planes) -> Planes:
    """The middle of pictures."""
    top, left = ((size - want) // 2 // 16 * 16 for size, want in zip(planes.luma.shape[2:], (HEIGHT, WIDTH), strict=True))
    return Planes(planes.luma[..., top : top + HEIGHT, left : left + WIDTH],
                  planes.chroma[..., top // 2 : (top + HEIGHT) // 2, left // 2 : (left + WIDTH) // 2])


def prefixes(codec: OnedvaCodec, planes: Planes, coding: Coding, ways: list[str]) -> list[dict[str, float]]:
    """Tokens and PSNR by way of painting, of prefixes from short to long."""
    progress = coding.progress
    most = sum(scan.tokens for scan in progress.scans[: progress.until(coding.plane)])
    rows = []
    for part in reversed(range(PARTS)):
        count = progress.until(coding.plane, most >> part)
        symbols = codec.said(coding, progress.pieces(count))
        rough = codec.unpainted(symbols)
        tokens = sum(scan.tokens for scan in progress.scans[:count])
        row = {"tokens": float(tokens), "plain": decibel(Planes(*rough.planes()), planes)}
        for way in ways:
            guide = Guide(torch.zeros(1, 0, 96), torch.zeros(1, 0), steps=int(way))
            row[way] = decibel(codec.painted(rough, codec.nominal(symbols), guide), planes)
        rows.append(row)
    return rows


def decibel(made: Planes, planes: Planes) -> float:
    """PSNR as the codec counts errors."""
    return -10.0 * math.log10(error_between(made, planes))


def plot(found: dict[str, list[dict[str, float]]], way: str, target: Path) -> None:
    """PSNR against tokens, a line a clip."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), constrained_layout=True)
    for number, (name, rows) in enumerate(found.items()):
        line = "-" if number < 10 else "--"  # there are ten colours
        axes.plot([row["tokens"] for row in rows], [row[way] for row in rows], line, marker=".", label=name)
    axes.set_xscale("log", base=2)
    axes.set_xlabel("tokens of a GOP, 320x192")
    axes.set_ylabel(f"PSNR, dB ({'not painted' if way == 'plain' else f'steps: {way}'})")
    axes.legend(fontsize=7, ncols=2)
    figure.savefig(target, dpi=110)


def statistics(values: Values) -> str:
    """Mean, variance and kurtosis of every kind and token, as Markdown."""
    lines = ["| kind | token | mean | variance | kurtosis |", "|---|---|---|---|---|"]
    for (kind, token), parts in sorted(values.items()):
        value = np.concatenate([part.ravel() for part in parts]).astype(np.float64)
        variance = value.var()
        kurtosis = ((value - value.mean()) ** 4).mean() / max(variance**2, 1e-30)
        lines.append(f"| {KINDS[kind]} | {token} | {value.mean():.4f} | {variance:.5f} | {kurtosis:.0f} |")
    return "\n".join(lines) + "\n"


@torch.inference_mode()
def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with an index.jsonl")
    parser.add_argument("--clips")
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--crf", type=float, default=46.0)
    parser.add_argument("--steps", default="0,1")
    parser.add_argument("--model", default="onedva")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--statistics", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    codec, ways = codec_of(given.model), given.steps.split(",")
    found, values = {}, defaultdict(list)
    for name, planes in clips(given.folder, given.frames, given.clips):
        part = middle(planes)
        guide = Guide(torch.zeros(1, 0, 96), torch.zeros(1, 0))
        coding = codec.coding(part, codec.analyse(part, given.crf, guide), given.crf)
        for layer, coefficients in zip(coding.progress.layers, coding.progress.coefficients, strict=True):
            for token in range(layer.shape[3]):
                values[layer.kind, token].append(coefficients[:, token] * np.float32(coding.step))
        rows = found[name] = prefixes(codec, part, coding, ways)
        for way in ["plain", *ways]:
            fall = max(max(-np.diff([row[way] for row in rows])), 0.0)
            print(f"{name} {way}: " + " ".join(f"{row['tokens']:.0f}:{row[way]:.2f}" for row in rows)
                  + f" dB, greatest fall {fall:.2f}", flush=True)
    if given.output:
        plot(found, ways[-1], given.output)
    if given.statistics:
        given.statistics.write_text(statistics(values))


if __name__ == "__main__":
    main()
