"""What the painter of onedva is trained on: pictures of training clips as the codec decodes them from prefixes of all
lengths.

Variable-length dropout, once and on disk: a clip is coded, and decoded from several of its prefixes; pictures of each are
kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from xvcodec.codec.family import Planes
from xvcodec.codec.onedva import MOTION, Coding, OnedvaCodec, Symbols, threshold
from xvcodec.codec.onedva_bands import search
from xvcodec.models.patches import CHROMA
from xvcodec.training.data import Clips

SIZE, CHUNKS = 256, (3, 5, 7)
"""Side of the crops that are coded, and chunks of their GOPs."""
QUALITIES = (48.0, 63.0)
"""Clips are coded at qualities (crf) drawn from here."""
WHOLE, SHORTEST = 0.6, 0.3
"""Share of prefixes that are all of the tokens, and the least share of the tokens that others have."""
LEVELS = 255.0
FILES = "onedva-samples*.safetensors"
"""Names of files of recorded pictures, in the folder of the clips."""


@dataclass
class Samples:
    """M pictures, [M, 1, S, S] and [M, 2, S/2, S/2]."""

    luma: Tensor  # as decoded, in [-0.5, 0.5], float16
    chroma: Tensor
    source_luma: Tensor  # uint8
    source_chroma: Tensor
    level: Tensor  # of the prefix, as `unit_of` counts it, [M]
    error: Tensor  # mean squared error of a luma pixel, both chroma planes included, [M]
    captions: list[str]

    def __len__(self) -> int:
        return len(self.level)

    def crops(self, count: int, side: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Random crops, mirrored both ways and transposed at random: decoded and true planes (luma, chroma, luma, chroma),
        level, error and numbers of the pictures."""
        which = rng.integers(0, len(self), count)
        places = rng.integers(0, (self.luma.shape[-1] - side) // 8 + 1, (count, 2)) * 8
        turns = rng.random((count, 3)) < 0.5
        found = []
        for planes, scale in ((self.luma, 1), (self.chroma, 2), (self.source_luma, 1), (self.source_chroma, 2)):
            cut = [planes[at, :, top // scale : (top + side) // scale, left // scale : (left + side) // scale]
                   for at, (top, left) in zip(which, places, strict=True)]
            turned = [_turned(each, *turn) for each, turn in zip(cut, turns.tolist(), strict=True)]
            found.append(torch.stack(turned).float())
        truth = (plane / LEVELS - 0.5 for plane in found[2:])
        numbers = torch.from_numpy(which)
        return (*found[:2], *truth, self.level[numbers], self.error[numbers], numbers)

    def save(self, path: Path) -> None:
        """Write a file that `load` reads."""
        arrays = {name: value.contiguous() for name, value in vars(self).items() if isinstance(value, Tensor)}
        save_file(arrays, path, metadata={"captions": json.dumps(self.captions)})

    @staticmethod
    def load(path: Path) -> Samples:
        """Read a file of `save`."""
        with safe_open(path, "pt") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is not a mapping
            return Samples(**arrays, captions=json.loads(file.metadata()["captions"]))

    @staticmethod
    def joined(parts: list[Samples]) -> Samples:
        """All of some."""
        names = [name for name, value in vars(parts[0]).items() if isinstance(value, Tensor)]
        return Samples(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names},
                       captions=[caption for part in parts for caption in part.captions])


@torch.inference_mode()
def record(codec: OnedvaCodec, clips: Clips, prefixes: int = 4, pictures: int = 4) -> Samples:
    """Code one clip at `prefixes` qualities and keep `pictures` pictures of a prefix of each."""
    batch = clips.clips(1, int(clips.rng.choice(CHUNKS)), SIZE)
    planes = Planes(batch.luma[0], batch.chroma[0])
    frames = planes.luma.shape[0]
    qualities = clips.rng.uniform(*QUALITIES, prefixes)
    analysis = codec.moved(search(planes.luma, MOTION * threshold(float(qualities.mean()))), frames)
    parts = []
    for quality in qualities:
        symbols = _prefix(codec, codec.coding(planes, analysis, float(quality)), clips.rng)
        rough = codec.unpainted(symbols)
        which = torch.from_numpy(np.sort(clips.rng.choice(frames, pictures, replace=False)))
        luma, chroma = planes.luma[which], planes.chroma[which]
        found = rough.luma[which], rough.chroma[which]
        lost = (luma - found[0]).square().mean((1, 2, 3)) + CHROMA**2 / 2 * (chroma - found[1]).square().mean((1, 2, 3))
        parts.append(Samples(found[0].half(), found[1].half(), _bytes(luma), _bytes(chroma),
                             torch.full((pictures,), codec.level(symbols)), lost, [batch.captions[0]] * pictures))
    return Samples.joined(parts)


def _prefix(codec: OnedvaCodec, coding: Coding, rng: np.random.Generator) -> Symbols:
    """All tokens of a quality, or some of them."""
    progress = coding.progress
    scans = progress.until(coding.plane)
    if rng.random() >= WHOLE:
        tokens = sum(scan.tokens for scan in progress.scans[:scans])
        scans = progress.until(coding.plane, int(tokens * rng.uniform(SHORTEST, 1.0)))
    return codec.said(coding, progress.pieces(scans))


def samples_of(clips: Clips, count: int, device: torch.device) -> Samples:
    """All recorded pictures beside the clips, of files FILES; where there are none, `count` clips are coded first."""
    paths = sorted(clips.cache.glob(FILES))
    if not paths:
        from xvcodec.models.weights import load_model
        from xvcodec.runtime.torch_runtime import TorchRuntime

        model = load_model("onedva")
        codec = OnedvaCodec(model, TorchRuntime(model.module, "cpu", "float32"))
        paths = [clips.cache / FILES.replace("*", "")]
        Samples.joined([record(codec, clips) for _ in range(count)]).save(paths[0])
    found = Samples.joined([Samples.load(path) for path in paths])
    on_device: dict[str, Any] = {name: value.to(device) if isinstance(value, Tensor) else value
                                 for name, value in vars(found).items()}
    return Samples(**on_device)


def _turned(plane: Tensor, across: bool, down: bool, transposed: bool) -> Tensor:
    """One of the eight ways to lay a square on itself."""
    sides = [axis for axis, turn in ((-1, across), (-2, down)) if turn]
    plane = plane.flip(sides) if sides else plane
    return plane.mT if transposed else plane


def _bytes(plane: Tensor) -> Tensor:
    return ((plane + 0.5) * LEVELS).round().to(torch.uint8)
