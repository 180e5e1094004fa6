"""What a model for latents keeps of a video when nothing is quantised, clip by clip:

    python tools/latent_study.py ../shared/data/val --frames 33

Every clip goes through `xvcodec.analyse` and back, in GOPs of --gop frames, with its caption from index.jsonl (--no-text:
without). Prints a Markdown table of PSNR-RGB and SSIM, means over frames, and their means over the clips.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import torch

from xvcodec import EncodeOptions
from xvcodec.codec.encode import Encoder
from xvcodec.codec.planes import to_frames
from xvcodec.codec.planner import GopFrames
from xvcodec.media import Frame
from xvcodec.metrics.panel import measure
from xvcodec.metrics.registry import resolve

METRICS = ("psnr", "ssim")


def pairs(encoder: Encoder, gops: Iterator[GopFrames], most: int) -> Iterator[tuple[Frame, Frame]]:
    """(source, reconstruction) frame by frame."""
    info, codec, left = encoder.info, encoder.session.codec, most
    for gop in gops:
        gop.frames = gop.frames[:left]
        left -= len(gop.frames)
        if not gop.frames:
            return
        trial = encoder.trial(gop)
        latents = codec.unquantised(trial.analysis(0.0), info.height, info.width)
        decoded: list[Frame] = []
        for planes in codec.paint(latents, len(gop.frames), info.height, info.width, trial.guide):
            times = [0] * planes.luma.shape[0]
            decoded += to_frames(planes, times, times, info.height, info.width, info.bit_depth)
        yield from zip(gop.frames, decoded, strict=True)


def study(path: Path, options: EncodeOptions, most: int) -> list[float]:
    """Mean of each metric over the frames of a clip, and how many frames these are."""
    encoder = Encoder(path, options, None)
    with ExitStack() as stack:
        reader, _ = encoder.begin(stack)
        gops = stack.enter_context(closing(encoder.gops(reader)))
        found, _ = measure(resolve(METRICS)[0], encoder.info, pairs(encoder, gops, most))
    return [*(float(np.mean(found[name].frames)) for name in METRICS), len(found[METRICS[0]].frames)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder with an index.jsonl")
    parser.add_argument("--model", default="crossmodal-latent")
    parser.add_argument("--frames", type=int, default=1 << 30, help="of each clip, at most")
    parser.add_argument("--gop", type=int, default=32)
    parser.add_argument("--no-text", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print("| clip | PSNR-RGB, dB | SSIM | frames |\n|---|---|---|---|")
    rows = []
    for line in (given.clips / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        options = EncodeOptions(model=given.model, gop=given.gop, audio=False,
                                prompt=None if given.no_text else row.get("caption"))
        rows.append(study(given.clips / row["file"], options, given.frames))
        print(f"| {Path(row['file']).stem} | {rows[-1][0]:.2f} | {rows[-1][1]:.4f} | {rows[-1][2]:g} |", flush=True)
    psnr, ssim, _ = np.mean(rows, axis=0)
    print(f"| **mean of {len(rows)} clips** | **{psnr:.2f}** | **{ssim:.4f}** | |")


if __name__ == "__main__":
    main()
