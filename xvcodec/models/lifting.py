"""Motion-compensated temporal filtering: a GOP becomes one canvas and what each picture differs from it.

A lifting wavelet along motion (after motion-compensated embedded coders; Girod and Han for the update step): pictures are
predicted from others, and what remains goes back along the same vectors, so that the picture predicted from becomes
the mean of all that it predicts. A still clip leaves its whole content in the canvas. The inverse runs the same
steps backwards from whatever was decoded, so that nothing drifts when much or little of it arrives.

Anchors, every CHUNK-th frame, and frames between are those of `xvcodec.codec.fields`. Frames between two anchors are
predicted from both; the differences of a chunk go through a DCT over time. Anchors are filtered in pairs, pairs of pairs
and so on, along vectors that are composed from the fields of single chunks, in whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from xvcodec.models.patches import dct
from xvcodec.models.warp import BLOCK, sampling_grid, warp

CHUNK = 4
BETWEEN = CHUNK - 1
CELL = 4
"""Luma pixels on a side of the cells that composed vectors are kept for."""
ROBUST = 0.06
"""A difference far beyond this (15 levels of 8 bits) is something else uncovered: it hardly changes what it was
predicted from."""


def chunks_of(frames: int) -> list[int]:
    """How many frames lie between the anchors of each chunk of a GOP."""
    rest = frames - 1
    return [min(BETWEEN, rest - start - 1) for start in range(0, rest, CHUNK)]


@dataclass
class Pictures:
    """N pictures: luma [N, 1, H, W], chroma [N, 2, H/2, W/2]; or differences of such."""

    luma: Tensor
    chroma: Tensor

    def __getitem__(self, which: slice) -> Pictures:
        return Pictures(self.luma[which], self.chroma[which])

    def planes(self) -> tuple[Tensor, Tensor]:
        """Both planes."""
        return self.luma, self.chroma


def stack(pictures: Sequence[Pictures]) -> Pictures:
    """One after the other."""
    return Pictures(torch.cat([each.luma for each in pictures]), torch.cat([each.chroma for each in pictures]))


class Path:
    """Where pictures are found in another: warping there, and its adjoint.

    Args of the constructor:
        field: float [N, 2, H/block, W/block], whole quarter pixels.
        share: weight of the prediction, [N, 1, H/8, W/8]; None for 1 everywhere.
    """

    def __init__(self, field: Tensor, block: int, share: Tensor | None = None) -> None:
        self.field, self.block, self.share = field, block, share

    def _weighted(self, plane: Tensor) -> Tensor:
        if self.share is None:
            return plane
        scale = plane.shape[-1] // self.share.shape[-1]
        return plane * self.share.repeat_interleave(scale, 2).repeat_interleave(scale, 3)

    def of(self, source: Pictures) -> Pictures:
        """The prediction from `source`, weighted."""
        return Pictures(self._weighted(warp(source.luma, self.field, self.block)),
                        self._weighted(warp(source.chroma, self.field * 0.5, self.block // 2)))

    def back(self, change: Pictures) -> tuple[Pictures, Pictures]:
        """What reaches each pixel of the source of a change of the prediction, and of ones: the adjoint of `of`."""
        sums, counts = [], []
        for plane, scale in zip(change.planes(), (1, 2), strict=True):
            grid = sampling_grid(self.field / scale, plane.shape[-2], plane.shape[-1], self.block // scale)
            both = self._weighted(torch.cat((plane, torch.ones_like(plane[:, :1])), dim=1)).contiguous()
            found = torch.ops.aten.grid_sampler_2d_backward(both, both, grid, 0, 1, False, [True, False])[0]
            sums.append(found[:, :-1])
            counts.append(found[:, -1:])
        return Pictures(*sums), Pictures(*counts)


class Motion:
    """The paths of a GOP.

    Args of the constructor:
        fields: whole float32 [chunks, 4, 3, H/8, W/8], as `xvcodec.codec.fields` codes them.
        frames: of the GOP.
    """

    def __init__(self, fields: Tensor, frames: int) -> None:
        self.fields, self.used = fields, chunks_of(frames)
        cells = fields[:, 0, :2].repeat_interleave(BLOCK // CELL, 2).repeat_interleave(BLOCK // CELL, 3)
        self._composed: dict[tuple[int, int], Tensor] = {(k + 1, 1): cells[k : k + 1] for k in range(len(self.used))}

    def between(self, chunk: int) -> tuple[Path, Path]:
        """Paths from the frames between two anchors to the one before and the one after."""
        used = self.used[chunk]
        anchor, corrections = self.fields[chunk, :1, :2], self.fields[chunk, 1 : 1 + used, :2]
        side = self.fields[chunk, 1 : 1 + used, 2:]
        share = (torch.arange(used, device=anchor.device) + 1.0)[:, None, None, None] / (used + 1)
        forward = corrections + torch.floor(anchor * share + 0.5)
        return Path(forward, BLOCK, 0.5 * (1 + side)), Path(forward - anchor, BLOCK, 0.5 * (1 - side))

    def anchors(self, later: int, distance: int) -> Path:
        """The path from an anchor to the one `distance` (a power of two) before it."""
        return Path(self._field(later, distance), CELL)

    def _field(self, later: int, distance: int) -> Tensor:
        if (later, distance) not in self._composed:
            first, second = self._field(later, distance // 2), self._field(later - distance // 2, distance // 2)
            height, width = first.shape[2:]
            unit = CELL * 4
            y, x = (torch.arange(size, device=first.device) * unit + unit // 2 for size in (height, width))
            column = ((x + first[0, 0]).long() // unit).clamp(0, width - 1)
            row = ((y[:, None] + first[0, 1]).long() // unit).clamp(0, height - 1)
            self._composed[later, distance] = first + second[:, :, row, column]
        return self._composed[later, distance]


def pairs(count: int) -> Iterator[tuple[int, int, int]]:
    """(level, anchor, distance to the one it is predicted from) for `count` anchors, in the order of the forward
    transform."""
    level, distance = 1, 1
    while distance < count:
        for later in range(distance, count, 2 * distance):
            yield level, later, distance
        level, distance = level + 1, 2 * distance


def _soft(change: Pictures) -> Pictures:
    """A change without what is far beyond ROBUST."""
    return Pictures(*(plane / (1.0 + (plane / ROBUST) ** 2) for plane in change.planes()))


def _update(target: Pictures, gifts: Sequence[tuple[Pictures, Pictures]], sign: float) -> Pictures:
    """A picture moved to the mean of itself and all that it predicts, or (sign -1) back."""
    made = []
    for plane, sums, counts in zip(target.planes(), *[[tuple(part.planes()[i] for part in side) for i in (0, 1)]
                                                      for side in zip(*gifts, strict=True)], strict=True):
        made.append(plane + sign * torch.stack(sums).sum(0) / (1.0 + torch.stack(counts).sum(0)))
    return Pictures(*made)


def _summed(gift: tuple[Pictures, Pictures]) -> tuple[Pictures, Pictures]:
    """Gifts of several pictures to one."""
    sums, counts = (Pictures(*(plane.sum(0, keepdim=True) for plane in part.planes())) for part in gift)
    return sums, counts


def _add(one: Pictures, other: Pictures, sign: float = 1.0) -> Pictures:
    return Pictures(one.luma + sign * other.luma, one.chroma + sign * other.chroma)


def _in_time(change: Pictures, back: bool) -> Pictures:
    """The DCT over the frames of a chunk, or its inverse."""
    matrix = dct(change.luma.shape[0]).to(change.luma)
    matrix = matrix.t() if back else matrix
    return Pictures(*(torch.tensordot(matrix, plane, 1) for plane in change.planes()))


@dataclass
class Bands:
    """A GOP after the transform."""

    anchors: list[Pictures]  # the canvas, and of every other anchor its difference
    between: list[Pictures | None]  # by chunk: differences of the frames between, by frequency in time


def _gifts(motion: Motion, chunk: int, change: Pictures) -> tuple[tuple[Pictures, Pictures], tuple[Pictures, Pictures]]:
    before, after = motion.between(chunk)
    soft = _soft(change)
    return _summed(before.back(soft)), _summed(after.back(soft))


def _repeat(picture: Pictures, count: int) -> Pictures:
    return Pictures(*(plane.expand(count, *plane.shape[1:]) for plane in picture.planes()))


def _expected(motion: Motion, chunk: int, anchors: Sequence[Pictures]) -> Pictures:
    """Frames between two anchors as these predict them."""
    before, after = motion.between(chunk)
    used = motion.used[chunk]
    return _add(before.of(_repeat(anchors[chunk], used)), after.of(_repeat(anchors[chunk + 1], used)))


def forward(pictures: Pictures, motion: Motion) -> Bands:
    """Pictures of a GOP -> its canvas and differences."""
    places = [0]
    for used in motion.used:
        places.append(places[-1] + used + 1)
    anchors = [pictures[place : place + 1] for place in places]
    between: list[Pictures | None] = []
    gifts: list[list[tuple[Pictures, Pictures]]] = [[] for _ in anchors]
    for chunk, used in enumerate(motion.used):
        if not used:
            between.append(None)
            continue
        change = _add(pictures[places[chunk] + 1 : places[chunk + 1]], _expected(motion, chunk, anchors), -1.0)
        for place, gift in zip((chunk, chunk + 1), _gifts(motion, chunk, change), strict=True):
            gifts[place].append(gift)
        between.append(_in_time(change, False))
    anchors = [_update(anchor, gift, 1.0) if gift else anchor for anchor, gift in zip(anchors, gifts, strict=True)]
    for _, later, distance in pairs(len(anchors)):
        path = motion.anchors(later, distance)
        anchors[later] = _add(anchors[later], path.of(anchors[later - distance]), -1.0)
        anchors[later - distance] = _update(anchors[later - distance], [path.back(_soft(anchors[later]))], 1.0)
    return Bands(anchors, between)


def inverse(bands: Bands, motion: Motion) -> Pictures:
    """The inverse of `forward`."""
    anchors = list(bands.anchors)
    for _, later, distance in reversed(list(pairs(len(anchors)))):
        path = motion.anchors(later, distance)
        anchors[later - distance] = _update(anchors[later - distance], [path.back(_soft(anchors[later]))], -1.0)
        anchors[later] = _add(anchors[later], path.of(anchors[later - distance]))
    changes = [None if change is None else _in_time(change, True) for change in bands.between]
    gifts: list[list[tuple[Pictures, Pictures]]] = [[] for _ in anchors]
    for chunk, change in enumerate(changes):
        if change is not None:
            for place, gift in zip((chunk, chunk + 1), _gifts(motion, chunk, change), strict=True):
                gifts[place].append(gift)
    anchors = [_update(anchor, gift, -1.0) if gift else anchor for anchor, gift in zip(anchors, gifts, strict=True)]
    made = [anchors[0]]
    for chunk, change in enumerate(changes):
        if change is not None:
            made.append(_add(change, _expected(motion, chunk, anchors)))
        made.append(anchors[chunk + 1])
    return stack(made)


@lru_cache(maxsize=32)
def gains(frames: int) -> tuple[list[float], list[list[float]]]:
    """How much a unit of each difference changes a still GOP: the norm of its part of the inverse transform.

    Returns:
        of every anchor, and of every frequency of every chunk.
    """
    used = chunks_of(frames)
    size = 8
    motion = Motion(torch.zeros(len(used), 1 + BETWEEN, 3, 1, 1), frames)

    def norm(anchor: int, chunk: int, slot: int) -> float:
        tiny = ROBUST * 1e-3

        def flat(count: int, at: int) -> Pictures:
            luma = torch.zeros(count, 1, size, size)
            if at >= 0:
                luma[at] = tiny
            return Pictures(luma, torch.zeros(count, 2, size // 2, size // 2))

        anchors = [flat(1, 0 if k == anchor else -1) for k in range(len(used) + 1)]
        between = [flat(count, slot if k == chunk else -1) if count else None for k, count in enumerate(used)]
        made = inverse(Bands(anchors, between), motion).luma[:, 0, 0, 0]
        return float(made.square().sum().sqrt()) / tiny

    return ([norm(k, -1, -1) for k in range(len(used) + 1)],
            [[norm(-1, k, slot) for slot in range(count)] for k, count in enumerate(used)])
