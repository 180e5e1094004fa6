"""What a model for latents keeps of a video when nothing is quantised, clip by clip, and when it is coded:

    python tools/latent_study.py ../shared/data/val --frames 33 --crf 0,24,40,52

Every clip becomes latents and pictures again, in GOPs of --gop frames, with its caption from index.jsonl (--no-text:
without). Prints a Markdown table of PSNR-RGB and SSIM, means over frames, and for every crf PSNR-RGB and bits a pixel (the
GOPs' chunks in the file); the last line holds the means over the clips.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
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


@dataclass
class Sums:
    """Of one clip: for every crf, PSNR times frames and bytes."""

    frames: int = 0
    psnr: dict[float, float] = field(default_factory=lambda: defaultdict(float))
    size: dict[float, int] = field(default_factory=lambda: defaultdict(int))


def pairs(encoder: Encoder, gops: Iterator[GopFrames], most: int, crfs: list[float],
          sums: Sums) -> Iterator[tuple[Frame, Frame]]:
    """(source, reconstruction without quantisation) frame by frame; `sums` gets what coding makes of the same latents."""
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
        sums.frames += len(gop.frames)
        for crf in crfs:
            coded = trial.code(crf)
            sums.psnr[crf] += trial.psnr(coded) * len(gop.frames)
            sums.size[crf] += coded.size
        yield from zip(gop.frames, decoded, strict=True)


def study(path: Path, options: EncodeOptions, most: int, crfs: list[float]) -> list[float]:
    """Mean of each metric over the frames of a clip; then PSNR and bits a pixel for every crf."""
    encoder, sums = Encoder(path, options, None), Sums()
    with ExitStack() as stack:
        reader, _ = encoder.begin(stack)
        gops = stack.enter_context(closing(encoder.gops(reader)))
        found, _ = measure(resolve(METRICS)[0], encoder.info, pairs(encoder, gops, most, crfs, sums))
    pixels = encoder.info.width * encoder.info.height * sums.frames
    coded = [value for crf in crfs for value in (sums.psnr[crf] / sums.frames, sums.size[crf] * 8.0 / pixels)]
    return [*(float(np.mean(found[name].frames)) for name in METRICS), *coded]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder with an index.jsonl")
    parser.add_argument("--model", default="crossmodal-latent")
    parser.add_argument("--frames", type=int, default=1 << 30, help="of each clip, at most")
    parser.add_argument("--gop", type=int, default=32)
    parser.add_argument("--no-text", action="store_true")
    parser.add_argument("--crf", type=lambda text: [float(one) for one in text.split(",")], default=[])
    given = parser.parse_args()
    torch.set_num_threads(1)
    heads = ["clip", "PSNR-RGB, dB", "SSIM", *(f"{what}crf {crf:g}" for crf in given.crf for what in ("dB at ", "bpp at "))]
    print(f"| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    rows = []
    for line in (given.clips / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        options = EncodeOptions(model=given.model, gop=given.gop, audio=False,
                                prompt=None if given.no_text else row.get("caption"))
        rows.append(study(given.clips / row["file"], options, given.frames, given.crf))
        tell(Path(row["file"]).stem, rows[-1])
    tell(f"mean of {len(rows)} clips", list(np.mean(rows, axis=0)))


def tell(name: str, values: list[float]) -> None:
    """One line of the table."""
    print(f"| {name} | " + " | ".join(f"{value:.4f}" if place % 2 else f"{value:.2f}" for place, value in enumerate(values))
          + " |", flush=True)


if __name__ == "__main__":
    main()
