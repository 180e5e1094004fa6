"""How many bits onedva takes for clips that stand still against one that moves, at equal quality:

    python tools/onedva_still.py ../shared/data/val --moving motorbike --still motorbike bees --psnr 29

A still clip is the first frame of a clip, again and again. All files are made for one mean PSNR-RGB (of painted pictures,
with the usual steps of the flow); all their bytes count. `-g` is how many frames a GOP has at most.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

import xvcodec
from xvcodec.media import Frame, open_video, open_writer


def copy(source: Path, frames: int, still: bool, target: Path) -> None:
    """The first frames of a clip without loss, or its first frame so many times."""
    with open_video(source, audio=False) as reader:
        first = list(islice((each for each in reader if isinstance(each, Frame)), frames))
        with open_writer(target, reader.info, codec="ffv1") as writer:
            for picture in first:
                writer.write(replace(first[0], pts=picture.pts) if still else picture)


def size(source: Path, still: bool, frames: int, options: xvcodec.EncodeOptions) -> int:
    """Bytes of a file of a clip, moving or still; prints them."""
    with tempfile.TemporaryDirectory() as folder:
        lossless = Path(folder) / "in.mkv"
        copy(source, frames, still, lossless)
        found = xvcodec.encode(lossless, Path(folder) / "out.xvc", options)
    print(f"{source.stem} {'still' if still else 'moving'}: {found.video_bytes} bytes at {found.psnr:.2f} dB", flush=True)
    return found.video_bytes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of clips")
    parser.add_argument("--moving", default="motorbike")
    parser.add_argument("--still", nargs="+", default=["motorbike"])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("-g", "--gop", type=int, default=32)
    parser.add_argument("--psnr", type=float, default=29.0)
    parser.add_argument("--model", default="onedva")
    given = parser.parse_args()
    torch.set_num_threads(1)
    options = xvcodec.EncodeOptions(model=given.model, target_psnr=given.psnr, gop=given.gop, audio=False, psnr=True)
    moving = size(given.folder / f"{given.moving}.mp4", False, given.frames, options)
    for name in given.still:
        still = size(given.folder / f"{name}.mp4", True, given.frames, options)
        print(f"{given.moving} takes {moving / still:.1f} times what {name} takes that stands still", flush=True)


if __name__ == "__main__":
    main()
