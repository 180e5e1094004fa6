"""What a decoder knows about a motion vector before it reads it, from which the tables that code it are chosen: integers.

Each component of a vector has a prediction; what remains is coded as its sign (0: as predicted) and, where that is not 0,
its size beyond 1, because most residuals are zero and the others anything. `xvcodec.codec.field_network` names the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]

ROLES = 3
"""Anchor fields, the correction of a chunk that is coded first, and the chunk's other corrections."""
COMPONENTS = 3
"""Horizontal, vertical, and the blur of an anchor's block, or the side that a correction's is predicted from: 1 before,
-1 after, 0 both."""
FEATURES = ("spread", "prediction", "horizontal", "anchor", "first")
"""Quarter pixels: sum of the four neighbours' distances to the prediction; size of the prediction; size of the horizontal
residual (vertical components), or of the vector's (sides); sizes of the residuals here in fields of earlier roles (for
sides: of the anchor's vector)."""
TABLES = 64
"""Of signs, and of sizes."""


@dataclass(frozen=True)
class Asked:
    """What the decoder knows about some residuals of one role, component and step, each int32 [P, n] or None."""

    role: int
    component: int
    step: int
    features: Sequence[Ints | None]  # FEATURES; those of earlier roles may lack
    beside: Sequence[Ints | None] = ()  # what `xvcodec.codec.field_network` sees besides

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features."""
        return next(feature.shape for feature in self.features if feature is not None)


def folded(sizes: Ints) -> Ints:
    """0, 1, 2, 3, 4 ... to 0, 1, -1, 2, -2 ...: tables have two sides."""
    return np.where(sizes % 2, sizes // 2 + 1, -(sizes // 2))


def unfolded(symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """The inverse of `folded`."""
    return np.where(symbols > 0, 2 * symbols - 1, -2 * symbols)
