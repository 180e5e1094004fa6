"""What can be seen where one GOP follows another: PSNR, and PSNR of changes, at the first frame of a GOP and elsewhere.

    python tools/chain_study.py CLIP ... [--model hivae] [--crf 55] [--frames 64] [--against libx265:preset=medium]

Beside the model stand other codecs at the setting whose files come nearest to its bytes, with as many frames a GOP.
Prints Markdown, a row for each clip and codec: mean PSNR, how much better the first frame of a GOP is than the last
one before it, and temporal PSNR there and within GOPs; the lower the first of both, the more a GOP's beginning is seen.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from hivae_study import CONDITIONS, nearest

import xvcodec
from xvcodec.media import Frame
from xvcodec.metrics import measure, resolve
from xvcodec.options import EncodeOptions
from xvcodec.rd.clips import Clip, find
from xvcodec.rd.codecs import parse


def row(clip: Clip, frames: Iterable[Frame]) -> tuple[float, float, float, float]:
    """Mean PSNR, the step where GOPs meet, temporal PSNR there and elsewhere, dB."""
    found, _ = measure(resolve(("psnr", "tpsnr"))[0], clip.info, zip(clip.read(), frames, strict=True))
    psnr, change = np.array(found["psnr"].frames), np.array(found["tpsnr"].frames)  # changes begin with the second frame
    first = np.arange(CONDITIONS.gop, len(psnr), CONDITIONS.gop)
    within = np.delete(change, first - 1)
    steps = psnr[first] - psnr[first - 1]
    return float(psnr.mean()), float(steps.mean()), float(change[first - 1].mean()), float(within.mean())


def main() -> None:
    """Code, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--model", default="hivae")
    parser.add_argument("--crf", type=float, default=55.0)
    parser.add_argument("--frames", type=int, default=2 * CONDITIONS.gop)
    parser.add_argument("--against", nargs="*", default=["libx265:preset=medium"])
    given = parser.parse_args()
    torch.set_num_threads(1)
    print("| | bytes | PSNR-RGB | first of a GOP against the frame before | temporal PSNR there | within GOPs |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as made:
        for clip in find(given.clips, given.frames):
            path = Path(made) / f"{clip.name}.xvc"
            options = EncodeOptions(model=given.model, crf=given.crf, gop=CONDITIONS.gop, audio=False, duration=clip.cut,
                                    prompt=clip.caption)
            size = xvcodec.encode(clip.path, path, options).video_bytes
            with xvcodec.open(path) as video:
                rows = {given.model: (size, row(clip, video.frames()))}
            for spec in given.against:
                near, _, theirs = nearest(clip, spec, size, Path(made))
                rows[spec] = near, row(clip, parse(spec).decode(theirs, clip))
            for name, (near, values) in rows.items():
                cells = "{:.2f} dB | {:+.2f} dB | {:.2f} dB | {:.2f} dB".format(*values)
                print(f"| {clip.name}, {name} | {near} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
