"""What filters of decoded pictures are trained on: predicted pictures of training clips as the real codec decodes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.codec.analysis import Analysis
from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.hivae import HivaeCodec
from xvcodec.codec.session import Session
from xvcodec.models.crossmodal import BETWEEN, Crossmodal, unpack
from xvcodec.models.weights import LoadedModel
from xvcodec.training.data import Batch, Clips
from xvcodec.training.fit_symbols import analysis_of

KINDS = ("anchor", "between")
SIZE = 256
"""Side of the crops that are coded."""
QUALITIES = (24.0, 63.0)
"""Clips are coded at a quality (crf) drawn from here."""
LOW_QUALITIES = (45.0, 61.0)
"""The same for models of low rates."""
LEVELS = 255.0


Planes420 = tuple[Tensor, Tensor]
"""Luma [M, 1, S, S] and chroma [M, 2, S/2, S/2]."""


@dataclass
class Samples:
    """Decoded pictures of one kind, M of them, 4:2:0 planes in [-0.5, 0.5], float16 (sources: 8-bit levels)."""

    seen: tuple[Planes420, ...]  # before the filter, and what else it sees, in the order of its arguments
    source: Planes420  # uint8
    step: Tensor  # nominal quantiser step, [M, 1, S/8, S/8]
    group: Tensor  # what gains are told by, [M]: number of its chunk in the GOP; of key frames, mean quality (crf)

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, which: Tensor) -> Samples:
        seen = tuple(_both(plane[which] for plane in planes) for planes in self.seen)
        return Samples(seen, _both(plane[which] for plane in self.source), self.step[which], self.group[which])

    @staticmethod
    def joined(parts: list[Samples]) -> Samples:
        """All of some."""
        seen = tuple(_joined(planes) for planes in zip(*(part.seen for part in parts), strict=True))
        step, group = (torch.cat([getattr(part, name) for part in parts]) for name in ("step", "group"))
        return Samples(seen, _joined([part.source for part in parts]), step, group)


def levels(planes: Iterable[Tensor]) -> Planes420:
    """Planes in [-0.5, 0.5] -> 8-bit levels."""
    return _both(((plane + 0.5) * LEVELS).round().to(torch.uint8) for plane in planes)


def _both(planes: Iterable[Tensor]) -> Planes420:
    luma, chroma = planes
    return luma, chroma


def _joined(parts: Iterable[Planes420]) -> Planes420:
    return _both(torch.cat(each) for each in zip(*parts, strict=True))


class _Recorder(nn.Module):
    """Stands for a loop filter, notes what it is given, and lets it work."""

    def __init__(self, inner: nn.Module | None) -> None:
        super().__init__()
        self.inner, self.seen = inner, list[tuple[Tensor, ...]]()

    def __deepcopy__(self, memo: dict[int, Any]) -> _Recorder:
        return self  # a runtime copies its model, but what its copy sees is to be found here

    def forward(self, rough: Tensor, *more: Tensor) -> Tensor:
        """See `LoopFilter` and `BetweenFilter`."""
        if torch.is_inference_mode_enabled():  # not where an encoder takes gradients
            self.seen.append(tuple(each.clone() for each in (rough, *more)))
        return rough if self.inner is None else self.inner(rough, *more)


@torch.inference_mode()
def record(model: LoadedModel, clips: Clips, count: int, chunks: int, device: str = "cpu") -> dict[str, Samples]:
    """Code `count` crops of 1 + 4 * `chunks` frames in a closed loop and keep every predicted picture, by its kind.

    Clips need motion that was searched before, but for a model of the hivae family.
    """
    module = model.module
    assert isinstance(module, Crossmodal)
    recorders = {kind: _Recorder(getattr(module, kind).refiner) for kind in KINDS}
    for kind, recorder in recorders.items():
        getattr(module, kind).refiner = recorder
    session = Session.open(model, "constriction", None, "torch", device)
    codec, guide = session.codec, session.guidance("")
    assert isinstance(codec, CrossmodalCodec)
    qualities = LOW_QUALITIES if isinstance(codec, HivaeCodec) else QUALITIES
    found: dict[str, list[Samples]] = {kind: [] for kind in KINDS}
    for _ in range(count):
        batch = clips.clips(1, chunks, SIZE)
        planes = Planes(batch.luma[0], batch.chroma[0])
        quality = round(float(clips.rng.uniform(*qualities)) * 256) / 256
        analysis = _analysed(codec, batch, planes, quality, guide)
        for recorder in recorders.values():
            recorder.seen.clear()
        closed = codec.closed(planes, analysis, quality, guide)
        codec.written(closed).decoded()
        used, ends = closed.told.used, list(accumulate(between + 1 for between in closed.told.used))
        chunks_of = {"anchor": list(range(len(used))), "between": [chunk for chunk, between in enumerate(used) if between]}
        for kind, recorder in recorders.items():
            found[kind] += [_sample(kind, chunk, ends[chunk], used[chunk], planes, *seen)
                            for chunk, seen in zip(chunks_of[kind], recorder.seen, strict=True)]
    for kind, recorder in recorders.items():
        getattr(module, kind).refiner = recorder.inner
    return {kind: Samples.joined(parts) for kind, parts in found.items()}


def _analysed(codec: CrossmodalCodec, batch: Batch, planes: Planes, quality: float, guide: Guide) -> Analysis:
    """What the encoder finds; for a model of low rates, which searches in what it has coded, it has to search now."""
    if not isinstance(codec, HivaeCodec):
        return analysis_of(batch)
    return replace(codec.analyse(planes, quality, guide, codec.tunes[0]), coded=None)  # coding it again is to be seen


def _sample(kind: str, chunk: int, last: int, between: int, planes: Planes, *seen: Tensor) -> Samples:
    """The pictures that a loop filter saw at once: frame `last`, or so many `between` it and the anchor before."""
    together, slots = (1, 1) if kind == "anchor" else (between, BETWEEN)
    frames = slice(last, last + 1) if kind == "anchor" else slice(last - between, last)
    *pictures, step = seen
    decoded = tuple(_both(plane[:together].half().cpu() for plane in unpack(packed, slots)) for packed in pictures)
    steps = F.interpolate(step.cpu().repeat_interleave(together, dim=0), pictures[0].shape[-2:])
    source = levels((planes.luma[frames], planes.chroma[frames]))
    return Samples(decoded, source, steps, torch.full((together,), float(chunk)))
