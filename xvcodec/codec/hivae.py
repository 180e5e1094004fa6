"""Coding one GOP with the hivae family: as crossmodal does, in streams of global and of detailed motion, and painted.

Streams of a GOP of n chunks, m of which have frames between their anchors; all integers, H x W the padded picture:
    key.y, key.cuts, qualities    as of crossmodal
    global.vectors [n, 3, H/8, W/8], global.y [n, 96, H/8, W/8]       anchors: their fields and what remains of them
    detail.vectors [n, 3, 3, H/8, W/8], detail.y [m, 288, H/8, W/8]   frames between: corrections and sides, what remains
    drawn [1]                     quarters of what the flow draws that decoders add; left out when there are none
    hints [C, H/16, W/16]         what the flow is told of each area; left out with `drawn`
Tables of `global` depend on itself alone, those of `detail` on both, so that every symbol decodes whatever is later left
out of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from xvc_bitstream.coders.base import bits

from xvcodec.codec.analysis import Analysis, analyse_twice, smoothed
from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.crossmodal import Closed, CrossmodalCodec, Symbols
from xvcodec.codec.drawing import Drawing, choose, decode_drawing, nothing, said
from xvcodec.codec.family import CodedGop, Ends, Guide, PassStream, Planes, ReadStream
from xvcodec.codec.field_contexts import COMPONENTS
from xvcodec.codec.fields import decode_fields, encode_apart
from xvcodec.codec.painting import paint
from xvcodec.models.crossmodal import BETWEEN
from xvcodec.models.hivae import COARSEST
from xvcodec.models.search import step_of
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
ROUNDS = {"key": 6, "anchor": 5, "between": 2}
"""In which latents are refined, by kind; 4, 3 and 1 leave 1.4 % more of what MS-SSIM misses on `ribbon`, in two thirds of
the time (docs/experiments.md)."""


@dataclass(frozen=True)
class Chosen(Analysis):
    """What was found best for a GOP, and what is said about drawing. It holds for qualities near the one it was found for:
    were it chosen anew for each, sizes would jump where the choice changes, and no rate between could be met."""

    drawing: Drawing = field(default_factory=lambda: nothing(0, 0, 0))
    coded: tuple[float, Closed] | None = None  # at the quality that it was found for: to code it takes time


def best_of(tried: NDArray[np.float64]) -> int:
    """What gives most for its bits, of what was tried at two qualities: decibels and log of bits, [n, 2, 2]."""
    (finer, more), (coarser, less) = tried[0]
    worth = max(0.0, (finer - coarser) / max(more - less, TINY))  # decibels that e times the bits bring
    return int((tried[:, 1, 0] - worth * tried[:, 1, 1]).argmax())


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
    rounds: ClassVar[Mapping[str, int]] = ROUNDS

    def nominal(self, quality: float) -> float:
        """Quality that areas of average worth are coded at, in a GOP of some quality."""
        return quality + STRETCH * max(0.0, quality - LOW)

    def price(self, quality: float) -> float:
        """See `GopCodec`."""
        return super().price(self.nominal(quality))

    @torch.inference_mode()
    def analyse(self, planes: Planes, quality: float, guide: Guide, tune: str = "psnr") -> Chosen:
        """Motion and lifetimes of a GOP: the best of several prices of vectors, and of qualities as they are or smoother."""
        found, tried = self._searched(planes, quality, guide, tune)
        best = found[0]
        if tried is not None:
            number = best_of(tried)
            two = [found[number], smoothed(found[number])]
            best = two[best_of(np.stack([tried[number], self._tried_twice(planes, quality, guide, two[1])]))]
        closed = self.closed(planes, best, quality, guide)
        drawing = choose(self.runtime, planes, self.written(closed).decoded(), self.nominal(quality), guide)
        return Chosen(**vars(best), drawing=drawing, coded=(quality, closed))

    def closed(self, planes: Planes, analysis: Analysis, quality: float, guide: Guide, refined: bool = True) -> Closed:
        """See `CrossmodalCodec`; at the quality that an analysis was made for it is known."""
        if refined and isinstance(analysis, Chosen) and analysis.coded and analysis.coded[0] == quality:
            return analysis.coded[1]
        return super().closed(planes, analysis, quality, guide, refined)

    def _searched(self, planes: Planes, quality: float, guide: Guide,
                  tune: str) -> tuple[list[Analysis], NDArray[np.float64] | None]:
        """A GOP searched with several prices of vectors, and what came of each, see `best_of`; None where there is one."""
        found = analyse_twice(planes.luma.float(), self.nominal(quality), self.between(quality), tune == "perceptual",
                              self.module.config, PRICES, self.coarsest,
                              lambda first: self.unpainted(planes, first, quality, guide, False).decoded().luma.float())
        if len(found) == 1:
            return found, None
        return found, np.array([self._tried_twice(planes, quality, guide, each) for each in found])

    def _tried_twice(self, planes: Planes, quality: float, guide: Guide, analysis: Analysis) -> list[tuple[float, float]]:
        """What comes of a GOP at two qualities, see `best_of`."""
        coarse = max(quality, STEP)
        return [self._tried(planes, at, guide, analysis) for at in (coarse - STEP, coarse)]

    def _tried(self, planes: Planes, quality: float, guide: Guide, analysis: Analysis) -> tuple[float, float]:
        """What comes of a GOP before it is painted: decibels, as its tuning counts errors, and the logarithm of its bits."""
        coded = self.unpainted(planes, analysis, quality, guide, refined=False)
        errors = (coded.decoded().luma - planes.luma).square()
        if analysis.masking:
            errors = F.avg_pool2d(errors, BLOCK) * analysis.masking.frames
        spent = sum(bits(*each, stream.tables or self.tables) for stream in coded.streams if isinstance(stream, PassStream)
                    for each in stream.passes)
        return float(-10.0 * (errors.mean((1, 2, 3)) + TINY).log10().mean()), math.log(spent + 1.0)

    def unpainted(self, planes: Planes, analysis: Analysis, quality: float, guide: Guide, refined: bool = True) -> CodedGop:
        """Code; decoded pictures are as they are within the loop. `refined`: see `closed`."""
        return self.written(self.closed(planes, analysis, quality, guide, refined))

    @torch.inference_mode()
    def encode(self, planes: Planes, analysis: Analysis, quality: float, guide: Guide) -> CodedGop:
        """Code at quality (crf) 0 to 63."""
        assert isinstance(analysis, Chosen)
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

    def ends(self, symbols: Symbols, quality: float) -> Ends | None:
        """Fields of the first and the last anchor, of one picture's time; a GOP of one picture has none."""
        if not symbols.used:
            return None
        first, last = (torch.from_numpy(symbols.fields[at, :1, :2] / np.float32(symbols.used[at] + 1)) for at in (0, -1))
        device = self.runtime.device
        return Ends(first.to(device), last.to(device), step_of(self.nominal(quality)))

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
