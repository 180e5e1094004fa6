"""Whether the tokens of onedva are as good as 4x8x8 latents of as many values (One-DVA, the claim of parity):

    python tools/onedva_parity.py ../shared/data/val --frames 17 --crf 52

For each clip PSNR-RGB of what crossmodal-latent makes of its own latents, not quantised, and their number of values; and of
an onedva file with all its tokens, for each of --steps, how many values it holds: sixteen of each token, each in one plane
of bits, and every whole number of its other streams, zeros too. Where that is less than the latents have, better is better.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from latent_study import study
from xvc_bitstream import Reader

import xvcodec
from xvcodec.media import Frame, open_video
from xvcodec.metrics.panel import measure
from xvcodec.metrics.registry import resolve
from xvcodec.options import DecodeOptions, EncodeOptions

LATENT = "crossmodal-latent"


def latents(source: Path, options: EncodeOptions) -> tuple[float, int]:
    """PSNR-RGB of the latents of a clip's first GOP, and how many values they have."""
    own = replace(options, model=LATENT)
    values = sum(each["latent"].size for each in xvcodec.analyse(source, own))
    return study(source, own, options.gop, [])[0], values


def tokens(source: Path, options: EncodeOptions, steps: list[int], target: Path) -> tuple[list[float], int, float]:
    """The same of a file of onedva, PSNR-RGB for each number of steps; and bits a pixel."""
    xvcodec.encode(source, target, options)
    with Reader.open(target) as reader:
        values = sum(math.prod(stream.shape) for gop in reader.gops() for stream in gop.streams)
    return [decibel(target, source, options.gop, each) for each in steps], values, xvcodec.probe(target)["bpp"]


def decibel(file: Path, source: Path, frames: int, steps: int) -> float:
    """PSNR-RGB, mean over frames."""
    with xvcodec.open(file, DecodeOptions(steps=steps)) as video, open_video(source, audio=False) as reader:
        first = islice((each for each in reader if isinstance(each, Frame)), frames)
        found, _ = measure(resolve(("psnr",))[0], reader.info, zip(first, video.frames(), strict=True))
    return float(np.mean(found["psnr"].frames))


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with an index.jsonl")
    parser.add_argument("--frames", type=int, default=17, help="of each clip: one GOP")
    parser.add_argument("--crf", type=float, default=52.0)
    parser.add_argument("--steps", type=lambda text: [int(one) for one in text.split(",")], default=[0, 1])
    parser.add_argument("--only", nargs="+", help="names of clips")
    given = parser.parse_args()
    torch.set_num_threads(1)
    ways = " | ".join(f"tokens, steps {each}" for each in given.steps)
    print(f"| clip | latents | {ways} | values of latents | values of the file | bits a pixel |")
    print("|---" * (5 + len(given.steps)) + "|")
    rows = []
    for line in (given.folder / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        source, caption = given.folder / entry["file"], entry.get("caption") or ""
        if given.only and source.stem not in given.only:
            continue
        with open_video(source, audio=False) as reader:
            seconds = float(given.frames / reader.info.frame_rate)
        options = EncodeOptions(model="onedva", crf=given.crf, gop=given.frames, audio=False, duration=seconds,
                                prompt=caption)
        own, count = latents(source, options)
        with tempfile.TemporaryDirectory() as folder:
            found, values, bpp = tokens(source, options, given.steps, Path(folder) / "out.xvc")
        rows.append([own, *found, count, values, bpp])
        tell(source.stem, rows[-1])
    tell(f"mean of {len(rows)}", list(np.mean(rows, axis=0)))


def tell(name: str, row: list[float]) -> None:
    """One line of the table."""
    *decibels, count, values, bpp = row
    shown = " | ".join(f"{each:.2f} dB" for each in decibels)
    print(f"| {name} | {shown} | {count:.0f} | {values:.0f} | {bpp:.4f} |", flush=True)


if __name__ == "__main__":
    main()
