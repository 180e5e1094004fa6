"""One picture that shows what people would see: a source beside other codecs at the bytes of ours, at several rates.

    python tools/compare_picture.py CLIP -o picture.png [--crf 58 46 34] [--frame 22] [--crop X Y WIDTH HEIGHT]
        [--codec crossmodal] [--against libx265:preset=medium] [--frames 32]      (needs matplotlib)

The other codec's setting is searched until its file is about as large as ours. Prints sizes and mean PSNR-RGB of the clip.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib import pyplot

from xvcodec.media import to_rgb
from xvcodec.rd.clips import Clip, find
from xvcodec.rd.codecs import Codec, Conditions, parse

Pictures = list[np.ndarray]
CONDITIONS = Conditions(timed=False)
STEPS = 9  # of the search


def coded(codec: Codec, clip: Clip, setting: float, folder: Path) -> tuple[int, Pictures]:
    """Bytes of the file, and its frames as uint8 RGB."""
    path = folder / f"coded{codec.suffix(clip)}"
    codec.encode(clip, setting, path, CONDITIONS)
    return codec.inspect(path, CONDITIONS).bytes, [to_rgb(frame, clip.info) for frame in codec.decode(path, clip)]


def as_large(codec: Codec, clip: Clip, wanted: int, folder: Path) -> tuple[int, Pictures]:
    """The try whose bytes are nearest to `wanted`, by bisection; larger settings make smaller files."""
    scale = codec.scale()
    low, high, tries = scale.best, scale.worst, []
    for _ in range(STEPS):
        middle = (low + high) / 2
        size, pictures = coded(codec, clip, middle, folder)
        tries.append((abs(size - wanted), size, pictures))
        low, high = (middle, high) if size > wanted else (low, middle)
    return min(tries, key=lambda each: each[0])[1:]


def psnr(pictures: Pictures, source: Pictures) -> float:
    """Mean over frames, dB."""
    errors = [np.mean((a.astype(np.float64) - b) ** 2) for a, b in zip(pictures, source, strict=True)]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-9))))


def main() -> int:
    """Code, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--crf", type=float, nargs="+", default=[58.0, 46.0, 34.0])
    parser.add_argument("--frame", type=int, default=22)
    parser.add_argument("--crop", type=int, nargs=4, default=(120, 60, 300, 200), metavar=("X", "Y", "WIDTH", "HEIGHT"))
    parser.add_argument("--codec", default="crossmodal")
    parser.add_argument("--against", default="libx265:preset=medium")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    (clip,) = find([options.clip], options.frames)
    ours, other = parse(options.codec), parse(options.against)
    source = [to_rgb(frame, clip.info) for frame in clip.read()]
    x, y, width, height = options.crop
    figure, axes = pyplot.subplots(len(options.crf), 3, figsize=(3 * width / 100, len(options.crf) * (height / 100 + 0.25)),
                                   squeeze=False, layout="constrained")
    with tempfile.TemporaryDirectory() as folder:
        for row, crf in zip(axes, options.crf, strict=True):
            size, pictures = coded(ours, clip, crf, Path(folder))
            theirs = as_large(other, clip, size, Path(folder))
            found = [("source", 0, source), (other.name, *theirs), (ours.name, size, pictures)]
            for axis, (name, size, pictures) in zip(row, found, strict=True):
                figures = f"{size * 8 / clip.pixels:.3f} bpp, {psnr(pictures, source):.1f} dB" if size else ""
                print(f"crf {crf:g} {name}: {size} bytes {figures}")
                axis.imshow(pictures[options.frame][y : y + height, x : x + width], interpolation="none")
                axis.set_title(f"{name.split(':')[0]}  {figures}", fontsize=8)
                axis.axis("off")
    figure.savefig(options.output, dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(main())
