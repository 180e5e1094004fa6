"""Which probability table codes a transform coefficient: integers, nothing else.

The size of a coefficient is expected to be a weighted sum of sizes that the decoder knows (after TMW and MRP, whose
contexts are such sums): of four neighbouring patches, of lower frequencies of its own patch, and of another picture at the
same place. The sum falls into one of 64 buckets, four an octave, and each bucket names a table. Weights and tables are
fitted by `tools/fit_contexts.py`. Measured against tables chosen by a hyper-latent and a network, which had to be sent:
a quarter to a third fewer bits.

Sums are float32 products of whole numbers, exact in any order because none reaches 2^24.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xvcodec.models.layers import QUALITIES
from xvcodec.models.quincunx import STEPS
from xvcodec.models.transform import frequencies

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]

UNIT = 4096
"""Weights are multiples of 1/UNIT."""
TOP = 15
"""Sizes are taken to be TOP at most."""
LIMIT = 1 << 24
AROUND, OWN, OTHER = 3, 4, 3
"""Features of the neighbours: the same coefficient, those around it in frequency, all. Of the own patch: the next lower
frequencies, those a little farther, all of earlier groups, those of the group before. Of another picture: as neighbours."""
CLASSES = 3
"""Tables are chosen apart for the lowest, low and other frequencies."""
BUCKETS = 64
EDGES: Ints = np.unique([((4 + m) << e) >> 2 for e in range(17) for m in range(4)])[: BUCKETS - 1].astype(np.int32)
"""Where buckets begin, all but the first."""
_EDGES = EDGES.astype(np.float32)
_GROUP_STARTS = (1, 2, 3, 4, 5, 7, 9, 15)
"""Sums of the two frequencies at which a new group begins; of a chroma plane, those of luma at twice the frequency."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How the channels of a latent hang together. Matrices are [from channel, to channel], 0 or 1."""

    groups: tuple[NDArray[np.intp], ...]  # channels in the order of coding
    classes: NDArray[np.intp]  # [L]
    around: Floats  # coefficients next to one in frequency, of the same plane and temporal frequency
    plane: Floats  # all of the same plane and temporal frequency
    lower: Floats  # of earlier groups: next to it, or the same at a lower temporal frequency
    farther: Floats  # of earlier groups: two steps away
    earlier: Floats  # all of earlier groups
    latest: Floats  # all of the group before


@lru_cache(maxsize=8)
def layout(patch: int, pictures: int) -> Layout:
    """The layout of latents of `pictures` pictures in patches of `patch` luma pixels a side."""
    place = np.repeat(frequencies(patch).numpy(), pictures, axis=0)
    time = np.tile(np.arange(pictures), place.shape[0] // pictures)
    plane, down, right = place.T
    scale = np.where(plane > 0, 2, 1)
    rank = np.searchsorted(_GROUP_STARTS, (down + right) * scale, side="right")
    names = sorted(set(zip(time > 0, plane > 0, rank, strict=True)))
    number = np.array([names.index(name) for name in zip(time > 0, plane > 0, rank, strict=True)])
    apart = np.maximum(abs(down[:, None] - down), abs(right[:, None] - right))
    alike = (plane[:, None] == plane) & (time[:, None] == time)
    before = number[:, None] < number
    steps = abs(down[:, None] - down) + abs(right[:, None] - right)
    same_place = (plane[:, None] == plane) & (steps == 0)
    matrices = (alike & (apart == 1), alike, before & (alike & (steps == 1) | same_place & (time[:, None] < time)),
                before & alike & (steps > 1) & (apart <= 2), before, number[:, None] == number - 1)
    around, whole, lower, farther, earlier, latest = (matrix.astype(np.float32) for matrix in matrices)
    groups = tuple(np.flatnonzero(number == group) for group in range(len(names)))
    classes = np.searchsorted((1, 4), (down + right) * scale, side="right")
    return Layout(groups, classes, around, whole, lower, farther, earlier, latest)


@dataclass(frozen=True, eq=False)
class CoefficientContexts:
    """The fitted arrays of one kind of picture. Read-only.

    Raises ValueError for other types, shapes or values, or when a sum could pass LIMIT.
    """

    patch: int
    pictures: int
    bias: Ints  # [QUALITIES, L], each >= 0
    around: Ints  # [STEPS - 1, AROUND, L], each >= 0: of neighbours, by step of the quincunx
    own: Ints  # [OWN, L], each >= 0
    other: Ints  # [OTHER, L], each >= 0
    tables: NDArray[np.uint8]  # [CLASSES, BUCKETS]

    def __post_init__(self) -> None:
        if self.patch not in (8, 16) or not 1 <= self.pictures <= 8:
            raise ValueError("coefficient contexts are for patches of 8 or 16, and at most 8 pictures")
        size = self.layout.classes.size
        for name, shape in (("bias", (QUALITIES, size)), ("around", (STEPS - 1, AROUND, size)), ("own", (OWN, size)),
                            ("other", (OTHER, size))):
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.int32 or array.min() < 0 or array.max() >= LIMIT:
                raise ValueError(f"the weights {name!r} of coefficient contexts have the wrong shape, type or range")
        if self.tables.shape != (CLASSES, BUCKETS) or self.tables.dtype != np.uint8:
            raise ValueError("the tables of coefficient contexts have the wrong shape or type")
        around, own, other = self.matrices()
        most = 4 * TOP * around.sum(1, dtype=np.float64).max(0) + TOP * (own.sum(0) + 2 * other.sum(0)) + self.bias.max(0)
        if most.max() >= LIMIT:
            raise ValueError("the weights of coefficient contexts are too large to be summed exactly")

    @property
    def layout(self) -> Layout:
        """How the channels hang together."""
        return layout(self.patch, self.pictures)

    def matrices(self) -> tuple[Floats, Floats, Floats]:
        """Weights from sizes [.., L] to sums [.., L]: neighbours [STEPS - 1, L, L], own patch and other picture [L, L]."""
        its = self.layout
        same = np.eye(its.classes.size, dtype=np.float32)
        near = (same, its.around, its.plane)
        mine = (its.lower, its.farther, its.earlier, its.latest)
        around = np.stack([sum(m * w for m, w in zip(near, step, strict=True)) for step in self.around])
        own = sum(m * w for m, w in zip(mine, self.own, strict=True))
        other = sum(m * w for m, w in zip(near, self.other, strict=True))
        return around.astype(np.float32), np.asarray(own, np.float32), np.asarray(other, np.float32)

    def table(self, sums: Floats, classes: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Tables for sums [.., C] of channels of some classes [C]."""
        return self.tables[classes, np.searchsorted(_EDGES, sums, side="right")]

    def to_tensors(self) -> dict[str, NDArray[np.generic]]:
        """Writable copies by name, for a weights file."""
        arrays = ("bias", "around", "own", "other", "tables")
        size = np.array([self.patch, self.pictures], np.int32)
        return {"size": size} | {name: getattr(self, name).copy() for name in arrays}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[np.generic]]) -> CoefficientContexts:
        """The inverse of `to_tensors`. Raises KeyError for a missing array, ValueError for a wrong one."""
        patch, pictures = (int(value) for value in np.asarray(tensors["size"]))
        return cls(patch, pictures, *(np.asarray(tensors[name]) for name in ("bias", "around", "own", "other", "tables")))

    @classmethod
    def default(cls, patch: int, pictures: int) -> CoefficientContexts:
        """Plausible contexts by formula, not fitted: for tests and first experiments."""
        its = layout(patch, pictures)
        size = its.classes.size

        def everywhere(*values: int) -> Ints:
            return np.repeat(np.array(values, np.int32)[:, None], size, axis=1)

        middle = int(np.searchsorted(EDGES, UNIT, side="right"))
        tables = np.clip(24 + (np.arange(BUCKETS) - middle) * 3 // 2, 10, 63).astype(np.uint8)
        bias = np.repeat(np.array([400, 200, 40], np.int32)[its.classes][None], QUALITIES, 0)
        return cls(patch, pictures, bias, np.stack([everywhere(400, 80, 8)] * (STEPS - 1)),
                   everywhere(280, 100, 8, 40), everywhere(200, 40, 8), np.stack([tables] * CLASSES))
