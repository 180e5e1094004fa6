"""What each stream of a hivae file carries, as one picture: the source, all of it, without `detail`, without `global`.

    python tools/drop_picture.py CLIP -o docs/models/hivae-drop.png [--bpp 0.0168] [--frames 32] [--at 4 22] [--crop X Y W H]

A row for each frame of --at. The file has --frames frames from the clip's start; --file takes one that is there. Needs
matplotlib.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from matplotlib import pyplot

import xvcodec
from xvcodec.media import to_rgb
from xvcodec.options import DecodeOptions, EncodeOptions
from xvcodec.rd.clips import find

WAYS: dict[str, tuple[str, ...]] = {"all streams": (), "--drop detail": ("detail",), "--drop global": ("global",)}


def main() -> None:
    """Code, decode, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--bpp", type=float, default=0.0168)
    parser.add_argument("--file", type=Path, help="a hivae file of the clip, instead of coding it")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--at", type=int, nargs="+", default=[4, 22])
    parser.add_argument("--crop", type=int, nargs=4, default=(120, 60, 300, 200), metavar=("X", "Y", "WIDTH", "HEIGHT"))
    given = parser.parse_args()
    (clip,) = find([given.clip], given.frames)
    shown = {"source": [to_rgb(frame, clip.info) for frame in clip.read()]}
    with tempfile.TemporaryDirectory() as folder:
        path = given.file or Path(folder) / "coded.xvc"
        if given.file is None:
            xvcodec.encode(clip.path, path, EncodeOptions(model="hivae", bpp=given.bpp, audio=False, duration=clip.cut,
                                                          gop=given.frames, prompt=clip.caption))
        print(f"{xvcodec.probe(path)['bpp']:.4f} bits a pixel")
        for name, drop in WAYS.items():
            with xvcodec.open(path, DecodeOptions(drop=drop)) as video:
                shown[name] = [to_rgb(frame, clip.info) for frame in video.frames()]
    x, y, width, height = given.crop
    figure, axes = pyplot.subplots(len(given.at), len(shown), squeeze=False, layout="constrained",
                                   figsize=(len(shown) * width / 100, len(given.at) * (height / 100 + 0.25)))
    for row, frame in zip(axes, given.at, strict=True):
        for axis, (name, pictures) in zip(row, shown.items(), strict=True):
            error = np.mean((pictures[frame].astype(np.float64) - shown["source"][frame]) ** 2)
            decibel = f", {10 * np.log10(255**2 / error):.1f} dB" if error else ""
            axis.imshow(pictures[frame][y : y + height, x : x + width], interpolation="none")
            axis.set_title(f"{name}, frame {frame}{decibel}", fontsize=8)
            axis.axis("off")
    figure.savefig(given.output, dpi=100)


if __name__ == "__main__":
    main()
