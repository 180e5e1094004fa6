"""Coding one GOP with the hivae family: as crossmodal does, in streams of global and of detailed motion, and painted.

Streams of a GOP of n chunks, m of which have frames between their anchors; all integers, H x W the padded picture:
    key.y, key.cuts, qualities    as of crossmodal
    global.vectors [n, 3, H/8, W/8], global.y [n, 96, H/8, W/8]       anchors: their fields and what remains of them
    detail.vectors [n, 3, 3, H/8, W/8], detail.y [m, 288, H/8, W/8]   frames between: corrections and sides, what remains
    drawn [1]                     quarters of what the flow draws that decoders add; left out when there are none
    hints [C, H/32, W/32]         what the flow is told of each area; left out with `drawn`
Tables of `global` depend on itself alone, those of `detail` on both, so that every symbol decodes whatever is later left
out of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from xvc_bitstream.coders.base import bits

from xvcodec.codec.analysis import Analysis, analyse_twice
from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.crossmodal import CrossmodalCodec, Symbols
from xvcodec.codec.drawing import Drawing, choose, decode_drawing, nothing, said
from xvcodec.codec.family import CodedGop, Guide, PassStream, Planes, ReadStream
from xvcodec.codec.field_contexts import COMPONENTS
from xvcodec.codec.fields import decode_fields, encode_apart
from xvcodec.codec.painting import paint
from xvcodec.models.crossmodal import BETWEEN
from xvcodec.models.hivae import COARSEST
from xvcodec.models.warp import BLOCK
from xvcodec.options import TUNES

LOW, STRETCH = 48.0, 1.5
"""Above quality LOW one crf means 1 + STRETCH, so that the range ends where hardly anything is sent."""
PRICES = (2.0, -6.0, -14.0)
"""What vectors cost, as offsets of the quality (crf) that they are searched for: the encoder tries these."""
STEP = 5.0
"""crf between the two qualities that each search is tried at."""
TINY = 1e-9
HIDDEN = 0.2
"""High frequencies hide errors less than in crossmodal: at equal bytes 0.04 to 0.15 dB more, and a SqueezeNet distance 2 to
5 % smaller (docs/experiments.md)."""


@dataclass(frozen=True)
class Searches:
    """Motion of a GOP as found in several ways to cut it and with several prices of vectors, and what came of each."""

    found: list[Analysis]
    quality: float = 0.0
    tried: NDArray[np.float64] | None = None  # [searches, 2, 2]: at quality - STEP and at quality decibels, log of bits
    drawing: Drawing = field(default_factory=lambda: nothing(0, 0, 0))

    def best(self, quality: float) -> Analysis:
        """What gives most for its bits at a quality."""
        if self.tried is None:
            return self.found[0]
        part = min(2.0, max(-1.0, (quality - self.quality + STEP) / STEP))  # no further than a line can be trusted
        decibels, spent = (self.tried[:, 0] * (1.0 - part) + self.tried[:, 1] * part).T
        (finer, more), (coarser, less) = self.tried[0]
        worth = max(0.0, (finer - coarser) / max(more - less, TINY))  # decibels that e times the bits bring
        return self.found[int((decibels - worth * spent).argmax())]


@dataclass(frozen=True)
class HivaeSymbols(Symbols):
    """Every integer of a GOP."""

    drawing: Drawing = field(default_factory=lambda: nothing(0, 0, 0))


class HivaeCodec(CrossmodalCodec):
    """`GopCodec` of the hivae family."""

    names: ClassVar[dict[str, str]] = {"key": "key.y", "anchor": "global.y", "between": "detail.y"}
    tunes = TUNES[::-1]
    requirements = replace(CrossmodalCodec.requirements, near=4.0)
    motion = "global.vectors"
    coarsest = COARSEST
    hidden = HIDDEN

    def nominal(self, quality: float) -> float:
        """Quality that areas of average worth are coded at, in a GOP of some quality."""
        return quality + STRETCH * max(0.0, quality - LOW)

    def price(self, quality: float) -> float:
        """See `GopCodec`."""
        return super().price(self.nominal(quality))

    @torch.inference_mode()
    def analyse(self, planes: Planes, quality: float, guide: Guide, tune: str = "psnr") -> Searches:  # type: ignore[override]
        """Motion and lifetimes of a GOP, for several prices of vectors."""
        found = analyse_twice(planes.luma.float(), self.nominal(quality), self.between(quality), tune == "perceptual",
                              self.module.config, PRICES, self.coarsest,
                              lambda first: self._within(planes, first, quality, guide).decoded().luma.float())
        if len(found) == 1:
            return self._drawing(planes, Searches(found), quality, guide)
        coarse = max(quality, STEP)
        tried = np.array([[self._tried(planes, at, guide, each) for at in (coarse - STEP, coarse)] for each in found])
        return self._drawing(planes, Searches(found, coarse, tried), quality, guide)

    def _drawing(self, planes: Planes, searches: Searches, quality: float, guide: Guide) -> Searches:
        """The same with what is said about drawing."""
        decoded = self.unpainted(planes, searches, quality, guide).decoded()
        return replace(searches, drawing=choose(self.runtime, planes, decoded, self.nominal(quality), guide))

    def _tried(self, planes: Planes, quality: float, guide: Guide, analysis: Analysis) -> tuple[float, float]:
        """What comes of a GOP before it is painted: decibels, as its tuning counts errors, and the logarithm of its bits."""
        coded = self._within(planes, analysis, quality, guide)
        errors = (coded.decoded().luma - planes.luma).square()
        if analysis.masking:
            errors = F.avg_pool2d(errors, BLOCK) * analysis.masking.frames
        spent = sum(bits(*each, stream.tables or self.tables) for stream in coded.streams if isinstance(stream, PassStream)
                    for each in stream.passes)
        return float(-10.0 * (errors.mean((1, 2, 3)) + TINY).log10().mean()), math.log(spent + 1.0)

    def unpainted(self, planes: Planes, analysis: Searches, quality: float, guide: Guide) -> CodedGop:
        """Code; decoded pictures are as they are within the loop."""
        return self._within(planes, analysis.best(quality), quality, guide)

    def _within(self, planes: Planes, analysis: Analysis, quality: float, guide: Guide) -> CodedGop:
        return super().encode(planes, analysis, quality, guide)

    @torch.inference_mode()
    def encode(self, planes: Planes, analysis: Searches, quality: float, guide: Guide) -> CodedGop:  # type: ignore[override]
        """Code at quality (crf) 0 to 63."""
        coded = self.unpainted(planes, analysis, quality, guide)
        drawing = analysis.drawing

        def painted() -> Planes:
            with torch.inference_mode():
                return paint(self.runtime, coded.decoded(), self.nominal(quality), guide, drawing.share, drawing.hints)

        return CodedGop([*coded.streams, *said(drawing)], painted)

    @torch.inference_mode()
    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> HivaeSymbols:
        """Decode every integer of a GOP of padded size height x width."""
        return HivaeSymbols(**vars(super().decode_symbols(frames, height, width, quality, read)),
                            drawing=decode_drawing(self.module.config.hints, height, width, read))

    def integers(self, symbols: Symbols) -> dict[str, Ints]:
        """Every array of a GOP by the name of its stream."""
        assert isinstance(symbols, HivaeSymbols)
        return super().integers(symbols) | {"drawn": symbols.drawing.quarters, "hints": symbols.drawing.hints}

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures in display order: the key frame, then chunk after chunk."""
        assert isinstance(symbols, HivaeSymbols)
        for planes in super().reconstruct(symbols, quality, guide):
            yield paint(self.runtime, planes, self.seen(symbols, quality), guide, self.drawn(symbols), symbols.drawing.hints)

    def drawn(self, symbols: HivaeSymbols) -> float:
        """How much is added of what the flow draws, 0 to 1."""
        return symbols.drawing.share

    def seen(self, symbols: Symbols, quality: float) -> float:
        """Quality that painters are told."""
        return self.nominal(quality)

    def encode_motion(self, fields: Ints, used: list[int]) -> list[PassStream]:
        """See `CrossmodalCodec`."""
        both = encode_apart(fields, used, self.fields, self.field_prices)
        return [PassStream(name, array.shape, passes, self.fields.tables)
                for (name, array), passes in zip(self.motion_arrays(fields).items(), both, strict=True)]

    def decode_motion(self, vectors: tuple[int, int], used: list[int], read: ReadStream) -> Ints:
        """See `CrossmodalCodec`."""
        anchors = self.decode_anchors(vectors, used, read)[:, 0]
        with read.passes("detail.vectors", (len(used), BETWEEN, COMPONENTS, *vectors), self.fields.tables) as read_pass:
            return decode_fields((len(used), *vectors), used, self.fields, read_pass, anchors)

    def decode_anchors(self, vectors: tuple[int, int], used: list[int], read: ReadStream) -> Ints:
        """Motion fields of anchors alone, [chunks, 4, 3, h, w] for `vectors` (h, w): those of frames between are zero."""
        with read.passes("global.vectors", (len(used), COMPONENTS, *vectors), self.fields.tables) as read_pass:
            return decode_fields((len(used), *vectors), [0] * len(used), self.fields, read_pass)

    def motion_arrays(self, fields: Ints) -> dict[str, Ints]:
        """See `CrossmodalCodec`."""
        return {"global.vectors": fields[:, 0], "detail.vectors": fields[:, 1:]}
