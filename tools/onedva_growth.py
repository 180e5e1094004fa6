"""How quality grows with the tokens of onedva that arrive, clip by clip, and what the tokens are:

    python tools/onedva_growth.py ../shared/data/val -o docs/models/onedva-growth.png --statistics
    docs/models/onedva-tokens.md

The first frames of each clip are coded once, at --crf, and decoded from every prefix that a file can be cut to: whole
pieces, one more each time. Prints PSNR (luma and chroma as the codec weighs them) by clip, without painting and for each of
--steps, and the greatest fall from one prefix to the next. Statistics are of the integer coefficients, in quantiser steps,
by kind and token.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from xvcodec.codec.crossmodal import Closed, CrossmodalCodec
from xvcodec.codec.drawing import Drawing
from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.onedva import OnedvaCodec, error_between
from xvcodec.codec.painting import paint
from xvcodec.codec.planes import to_planes
from xvcodec.codec.session import Session
from xvcodec.codec.token_contexts import KINDS
from xvcodec.codec.token_layers import make_layers, whole_of
from xvcodec.media import Frame, open_video
from xvcodec.models.weights import load_model

Values = dict[tuple[int, int], list[NDArray[np.int32]]]


def clips(folder: Path, frames: int, names: str | None) -> Iterator[tuple[str, Planes]]:
    """Names and the first frames of the clips of a folder's index.jsonl, or of some of them ("bees,frost")."""
    chosen = names.split(",") if names else None
    for line in (folder / "index.jsonl").read_text().splitlines():
        path = folder / json.loads(line)["file"]
        if chosen is None or path.stem in chosen:
            with open_video(path, audio=False) as reader:
                first = list(islice((each for each in reader if isinstance(each, Frame)), frames))
                yield path.stem, to_planes(first, reader.info.bit_depth, 32, torch.device("cpu"))


def prefixes(codec: OnedvaCodec, planes: Planes, closed: Closed, quality: float, guide: Guide, drawing: Drawing,
             ways: list[str]) -> list[dict[str, float]]:
    """Tokens and PSNR by way of painting, of prefixes from short to long."""
    (_, progress), rows = codec.begin(closed), []
    pieces = progress.pieces(progress.until())
    for count in range(1, len(pieces) + 1):
        symbols = codec.said(closed, pieces[:count], drawing)
        parts = list(CrossmodalCodec.reconstruct(codec, symbols, quality, guide))
        plain = Planes(torch.cat([each.luma for each in parts]), torch.cat([each.chroma for each in parts]))
        row = {"tokens": float(sum(piece.tokens for piece in pieces[:count])), "plain": decibel(plain, planes)}
        for way in ways:
            told, share = codec.seen(symbols, quality), codec.drawn(symbols)
            painted = paint(codec.runtime, plain, told, replace(guide, steps=int(way)), share, drawing.hints)
            row[way] = decibel(painted, planes)
        rows.append(row)
    return rows


def integers(closed: Closed) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Kind and coefficients [patches, tokens, TOKEN] of every layer."""
    used, latents = closed.told.used, {kind: np.stack(each) for kind, each in closed.coding.rounder.latents.items()}
    layers, members = make_layers(used, closed.coding.cuts.shape)
    for layer, tokens in zip(layers, whole_of(layers, members, latents, used), strict=True):
        yield layer.kind, tokens


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
    axes.set_xlabel("tokens of a GOP")
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
        lines.append(f"| {KINDS[kind]} | {token} | {value.mean():.4f} | {variance:.4g} | {kurtosis:.0f} |")
    return "\n".join(lines) + "\n"


@torch.inference_mode()
def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with an index.jsonl")
    parser.add_argument("--clips")
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--crf", type=float, default=46.0)
    parser.add_argument("--steps", default="0,1", help="of the flow; 0 is the mean alone")
    parser.add_argument("--model", default="onedva")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--statistics", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    session = Session.open(load_model(given.model), "constriction", None, "torch", "cpu")
    codec, guide, ways = session.codec, session.guidance(""), given.steps.split(",")
    assert isinstance(codec, OnedvaCodec)
    found, values = {}, defaultdict(list)
    for name, planes in clips(given.folder, given.frames, given.clips):
        chosen = codec.analyse(planes, given.crf, guide, codec.tunes[0])
        closed = codec.closed(planes, chosen, given.crf, guide)
        for kind, tokens in integers(closed):
            for token in range(tokens.shape[1]):
                values[kind, token].append(tokens[:, token])
        rows = found[name] = prefixes(codec, planes, closed, given.crf, guide, chosen.drawing, ways)
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
