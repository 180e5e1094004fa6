"""How many bits onedva takes for a clip that stands still against one that moves, at equal quality:

    python tools/onedva_still.py ../shared/data/val --clips motorbike --psnr 29

The still clip is the first frame of the same clip, again and again. Both files are made for one mean PSNR-RGB (of painted
pictures, with the usual steps of the flow); all their bytes count.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

import xvcodec
from xvcodec.media import Frame, open_video, open_writer


def copies(source: Path, frames: int, still: Path, moving: Path) -> None:
    """The first frame of a clip so many times, and its first frames, without loss."""
    with open_video(source, audio=False) as reader:
        first = list(islice((each for each in reader if isinstance(each, Frame)), frames))
        for path, pictures in ((moving, first), (still, [replace(first[0], pts=each.pts) for each in first])):
            with open_writer(path, reader.info, codec="ffv1") as writer:
                for picture in pictures:
                    writer.write(picture)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with an index.jsonl")
    parser.add_argument("--clips", default="motorbike")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--psnr", type=float, default=29.0)
    parser.add_argument("--model", default="onedva")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for line in (given.folder / "index.jsonl").read_text().splitlines():
        source = given.folder / json.loads(line)["file"]
        if source.stem not in given.clips.split(","):
            continue
        with tempfile.TemporaryDirectory() as folder:
            still, moving = Path(folder) / "still.mkv", Path(folder) / "moving.mkv"
            copies(source, given.frames, still, moving)
            options = xvcodec.EncodeOptions(model=given.model, target_psnr=given.psnr, audio=False, psnr=True)
            found = [xvcodec.encode(path, path.with_suffix(".xvc"), options) for path in (still, moving)]
        sizes = [each.video_bytes for each in found]
        print(f"{source.stem}: still {sizes[0]} bytes at {found[0].psnr:.2f} dB, moving {sizes[1]} bytes at "
              f"{found[1].psnr:.2f} dB: {sizes[1] / sizes[0]:.1f} times", flush=True)


if __name__ == "__main__":
    main()
