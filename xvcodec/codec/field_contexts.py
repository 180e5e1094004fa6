"""Where the neighbours of a motion vector lie, and which probability table codes it: integers, nothing else.

The size of a residual is expected to be a weighted sum of what the decoder knows (`FEATURES`); the sum falls into one
of 64 buckets, four an octave, and each bucket names two tables: one for the sign (0: as predicted), one for the size
beyond 1, because most residuals are zero and the others anything. Weights and tables are fitted by `tools/fit_contexts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.shifts import CODED_WITH
from xvcodec.models.quincunx import STEPS

Ints = NDArray[np.int32]

ROLES = 3
"""Anchor fields, the correction of a chunk that is coded first, and the chunk's other corrections."""
COMPONENTS = 3
"""Horizontal, vertical, and the blur of an anchor's block, or the side that a correction's is predicted from: 1 before,
-1 after, 0 both."""
FEATURES = ("bias", "spread", "prediction", "horizontal", "anchor", "first")
"""What is weighed, quarter pixels: 1; sum of the four neighbours' distances to the prediction; size of the prediction;
size of the horizontal residual (vertical components), or of the vector's (sides); sizes of the residuals here in fields of
earlier roles (for sides: of the anchor's vector)."""
UNIT = 1024
"""Weights are multiples of 1/UNIT. Features stay below 2^14 and weights below HEAVIEST, so that sums fit int32."""
HEAVIEST = 1 << 13
BIAS = 1 << 20
BUCKETS = 64
EDGES: Ints = np.unique([((4 + m) << e) >> 2 for e in range(17) for m in range(4)])[: BUCKETS - 1].astype(np.int32)
TABLES = 64


@dataclass(frozen=True)
class Asked:
    """What the decoder knows about some residuals of one role, component and step, each int32 [P, n] or None."""

    role: int
    component: int
    step: int
    features: Sequence[Ints | None]  # of FEATURES those after the bias; those of earlier roles may lack
    beside: Sequence[Ints | None] = ()  # what `xvcodec.codec.field_network` sees besides

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features."""
        return next(feature.shape for feature in self.features if feature is not None)


@dataclass(frozen=True, eq=False)
class FieldContexts:
    """The fitted arrays. Read-only.

    Raises ValueError for other types, shapes or values beyond the bounds above.
    """

    sizes: ClassVar[int] = 0  # number of the first table of sizes
    shifts: ClassVar[int] = CODED_WITH  # of the table that codes shifts
    weights: Ints  # [ROLES, COMPONENTS, STEPS, FEATURES], each >= 0
    tables: NDArray[np.uint8]  # [2, ROLES, COMPONENTS, STEPS, BUCKETS], of signs and of sizes, each below TABLES

    def __post_init__(self) -> None:
        shape = (ROLES, COMPONENTS, STEPS)
        if self.weights.shape != (*shape, len(FEATURES)) or self.weights.dtype != np.int32:
            raise ValueError("the weights of the motion contexts have the wrong shape or type")
        if self.tables.shape != (2, *shape, BUCKETS) or self.tables.dtype != np.uint8:
            raise ValueError("the tables of the motion contexts have the wrong shape or type")
        bias, heavy = self.weights[..., 0], self.weights[..., 1:]
        if self.weights.min() < 0 or bias.max() > BIAS or heavy.max() > HEAVIEST or self.tables.max() >= TABLES:
            raise ValueError("a weight or a table of the motion contexts is out of its range")
        for name in ("weights", "tables"):
            copy = getattr(self, name).copy()
            copy.setflags(write=False)
            object.__setattr__(self, name, copy)

    def index(self, role: int, component: int, step: int, features: Sequence[Ints | None]) -> NDArray[np.uint8]:
        """Tables of sign and size for some components, uint8 [2, ...].

        Args:
            features: those after the bias, int32 [...], None where absent.
        """
        bias, *weights = self.weights[role, component, step]
        size = np.zeros((), np.int32) + bias
        for weight, feature in zip(weights, features, strict=False):
            if feature is not None:
                size = size + weight * feature
        return self.tables[:, role, component, step][:, np.searchsorted(EDGES, size, side="right")]

    def indices(self, asked: Sequence[Asked]) -> list[NDArray[np.uint8]]:
        """Tables of sign and size for each that is asked, uint8 [2, ...] of the shape of its features."""
        return [self.index(each.role, each.component, each.step, each.features) for each in asked]

    def sharp(self) -> FieldContexts:
        """The same for codecs whose anchors are never blurred: saying so costs next to nothing."""
        tables = self.tables.copy()
        tables[:, 0, 2] = 0
        return replace(self, tables=tables)

    def to_tensors(self) -> dict[str, NDArray[np.generic]]:
        """Writable copies by name, for a weights file."""
        return {"weights": self.weights.copy(), "tables": self.tables.copy()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[np.generic]]) -> FieldContexts:
        """The inverse of `to_tensors`. Raises KeyError for a missing array, ValueError for a wrong one."""
        return cls(np.asarray(tensors["weights"]), np.asarray(tensors["tables"]))

    @classmethod
    def default(cls) -> FieldContexts:
        """Plausible contexts by formula, not fitted: for tests and first experiments."""
        weights = np.empty((ROLES, COMPONENTS, STEPS, len(FEATURES)), np.int32)
        weights[...] = np.array([64, 160, 64, 160, 160, 160])
        weights[..., 0, 0] = 8 * UNIT
        middle = int(np.searchsorted(EDGES, UNIT, side="right"))  # expected size 1: the Laplace table of scale 1 is 24
        tables = np.clip(24 + (np.arange(BUCKETS) - middle) * 3 // 2, 0, TABLES - 1).astype(np.uint8)
        return cls(weights, np.broadcast_to(tables, (2, ROLES, COMPONENTS, STEPS, BUCKETS)))


def folded(sizes: Ints) -> Ints:
    """0, 1, 2, 3, 4 ... to 0, 1, -1, 2, -2 ...: tables have two sides."""
    return np.where(sizes % 2, sizes // 2 + 1, -(sizes // 2))


def unfolded(symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """The inverse of `folded`."""
    return np.where(symbols > 0, 2 * symbols - 1, -2 * symbols)
