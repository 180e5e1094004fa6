"""Make the golden streams of tests/vectors: small .xvc files, their integers' hashes and samples of their pictures.

Run it whenever weights or the bitstream of a model change, and commit what it writes:

    python tools/make_vectors.py
    python tools/make_vectors.py --model crossmodal-latent     # only those of one model
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

import xvcodec
from xvcodec.media import Frame, VideoInfo, open_writer
from xvcodec.models.weights import load_model
from xvcodec.runtime.torch_runtime import TorchRuntime

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "conformance"))

from vector_facts import INDEX, facts  # noqa: E402 - tests are no package


@dataclass(frozen=True)
class Vector:
    """A stream to make."""

    model: str
    info: VideoInfo
    times: tuple[int, ...]  # ticks of 1/90000 s, whole milliseconds
    gop: int
    crf: float
    prompt: str | None = None


BT709: dict[str, Any] = {"primaries": 1, "transfer": 1, "matrix": 1, "time_base": Fraction(1, 90000)}
SMALL = VideoInfo(48, 40, frame_rate=Fraction(25), **BT709)
ODD = VideoInfo(41, 35, bit_depth=10, frame_rate=Fraction(25), **BT709)
VECTORS = {
    "fast_prompt_v1.xvc": Vector("crossmodal-fast", SMALL, tuple(range(0, 21600, 3600)), 4, 24.0, "waves on a lake"),
    "fast_vfr_v1.xvc": Vector("crossmodal-fast", ODD, (0, 90, 3600, 3690, 90000, 99000), 8, 40.25),
    "latent_prompt_v1.xvc": Vector("crossmodal-latent", SMALL, tuple(range(0, 25200, 3600)), 5, 20.0, "waves on a lake"),
    "latent_odd_v1.xvc": Vector("crossmodal-latent", ODD, (0, 90, 3600, 3690, 90000, 99000), 8, 0.0),
    "onedva_odd_v1.xvc": Vector("onedva", ODD, (0, 90, 3600, 3690, 90000, 99000), 8, 24.0, "waves on a lake"),
    "hivae_prompt_v1.xvc": Vector("hivae", SMALL, tuple(range(0, 36000, 3600)), 9, 50.0, "waves on a lake"),
    "hivae_odd_v1.xvc": Vector("hivae", ODD, (0, 90, 3600, 3690, 90000, 99000), 8, 30.0),
    "main_prompt_v1.xvc": Vector("crossmodal", SMALL, tuple(range(0, 21600, 3600)), 8, 30.0, "waves on a lake"),
}


def pictures(vector: Vector) -> list[Frame]:
    """Waves and a square that moves; the same on every machine up to a level, which the stream then fixes."""
    info, top = vector.info, 2**vector.info.bit_depth - 1
    kind = np.uint16 if info.bit_depth == 10 else np.uint8
    frames = []
    for number, pts in enumerate(vector.times):
        planes: list[Any] = []
        for plane, (rows, columns) in enumerate(((info.height, info.width), info.chroma_size, info.chroma_size)):
            x, y = np.arange(columns) + 2.0 * number, np.arange(rows)[:, None] + 1.0 * number
            value = 0.5 + (0.2, 0.1, 0.08)[plane] * (np.sin(0.3 * x + 0.1 * y + plane) + np.sin(0.45 * y - 0.15 * x))
            value[rows // 4 : rows // 2, 2 * number : 2 * number + columns // 4] = (0.8, 0.4, 0.6)[plane]
            planes.append(np.round(value.clip(0, 1) * top).astype(kind))
        frames.append(Frame(pts, planes[0], planes[1], planes[2], 3600))
    return frames


def make(name: str, vector: Vector, folder: Path) -> dict[str, object]:
    """Write one stream into `folder` and return what the index says of it."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "source.mkv"
        with open_writer(source, vector.info, codec="ffv1") as writer:
            for frame in pictures(vector):
                writer.write(frame)
        options = xvcodec.EncodeOptions(model=vector.model, crf=vector.crf, gop=vector.gop, prompt=vector.prompt,
                                        backend="torch", device="cpu", verify=True)
        xvcodec.encode(source, folder / name, options)
    model = load_model(vector.model)
    return facts(folder / name, TorchRuntime(model.module, "cpu", "float32"), model)


def main() -> None:
    """Make all streams and the index."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "tests" / "vectors", help="folder to write into")
    parser.add_argument("--model", help="make only the streams of this model; what is known of the others stays")
    given = parser.parse_args()
    folder: Path = given.output
    torch.set_num_threads(1)
    chosen = [name for name, vector in VECTORS.items() if given.model in (None, vector.model)]
    known = json.loads((folder / INDEX).read_text()) if given.model and (folder / INDEX).is_file() else {}
    index = known | {name: make(name, VECTORS[name], folder) for name in chosen}
    lines = (f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in index.items())
    (folder / INDEX).write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for name in chosen:
        print(f"{name}: {(folder / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
