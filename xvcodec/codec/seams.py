"""Where one GOP follows another: pictures on both sides take something of the other side's, so that none is seen to begin.

GOPs are coded apart and err apart: from the last picture of one to the first of the next the change was 27 dB off where it
was 33 dB within GOPs (hivae, `dogwalk`). So the last pictures of a GOP take a share of the first of the next, found along
the paths that vectors of their own GOP tell, and the first ones a share of the last before: one error goes over into the
other in as many steps as there are pictures, and a mean of two errors is less than either (docs/experiments.md). A GOP that
is decoded alone is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.codec.family import Ends, Planes
from xvcodec.models.warp import BLOCK, SHARPNESS, warp_yuv

REACH = 2
"""Pictures on each side that take a share; of short GOPs no more than half."""
TRUST = 0.25
"""How far apart, in quantiser steps, two pictures may be of which each takes from the other: more is not the same thing."""
Gop = TypeVar("Gop")


class Seams(Generic[Gop]):
    """Pictures of GOP after GOP, in order; the last ones of each are held back until the next GOP begins.

    Pictures come and go as (GOP, number of the first in it, pictures).
    """

    def __init__(self) -> None:
        self._held: list[tuple[Gop, int, Planes]] = []
        self._before: tuple[Planes, Ends]  # the last picture of the GOP whose pictures are held, as it was decoded

    def through(self, gop: Gop, count: int, pictures: Iterable[Planes],
                ends: Ends | None) -> Iterator[tuple[Gop, int, Planes]]:
        """Pictures that can be shown once the next GOP is there.

        Args:
            count: pictures of the GOP. pictures: a few at a time, luma [k, 1, H, W] and chroma [k, 2, H/2, W/2].
            ends: None where a codec has no seams: pictures then pass as they came.
        """
        if ends is None:
            yield from self.end()
            at = 0
            for planes in pictures:
                yield gop, at, planes
                at += len(planes.luma)
            return
        reach, theirs = min(REACH, count // 2), len(self._held)
        steps = reach + theirs + 1
        for at, planes in enumerate(_singly(pictures)):
            if theirs and not at:
                yield from self._toward(planes, steps)
            share = max(0, reach - at) / steps if theirs else 0.0
            self._held.append((gop, at, taking(planes, self._before[0], ends.first * (at + 1), share, ends.unit)
                               if share else planes))
            if len(self._held) > reach:
                yield self._held.pop(0)
        self._before = planes, ends

    def _toward(self, first: Planes, steps: int) -> Iterator[tuple[Gop, int, Planes]]:
        """What was held, with a share of the first picture of the next GOP, luma [1, 1, H, W]."""
        ends = self._before[1]
        for number, (gop, at, planes) in enumerate(self._held):
            away = len(self._held) - number
            yield gop, at, taking(planes, first, ends.last * -away, (number + 1) / steps, ends.unit)
        self._held.clear()

    def end(self) -> Iterator[tuple[Gop, int, Planes]]:
        """What was held, as it is: nothing follows."""
        yield from self._held
        self._held.clear()


@torch.inference_mode()
def taking(own: Planes, other: Planes, field: Tensor, share: float, unit: float) -> Planes:
    """A picture with a share of another one, where they show the same.

    Args:
        field: [1, 2, H/8, W/8], where blocks are found in the other, quarter pixels.
        share: 0 to 1.
        unit: quantiser step, in the range of the planes.
    """
    luma, chroma = warp_yuv(other.luma, other.chroma, field, SHARPNESS)
    apart = F.avg_pool2d(F.pad((luma - own.luma).square(), (BLOCK,) * 4, mode="replicate"), 3 * BLOCK, BLOCK)
    shares = share * (2.0 - apart / (TRUST * unit) ** 2).clamp(0.0, 1.0)
    return Planes(*(torch.lerp(mine, its, F.interpolate(shares, mine.shape[-2:], mode="bilinear"))
                    for mine, its in ((own.luma, luma), (own.chroma, chroma))))


def _singly(pictures: Iterable[Planes]) -> Iterator[Planes]:
    for planes in pictures:
        for at in range(len(planes.luma)):
            yield Planes(planes.luma[at : at + 1], planes.chroma[at : at + 1])
