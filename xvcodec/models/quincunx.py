"""The order in which positions of a grid are coded: a quincunx, so that each has decoded neighbours on all sides.

Every SPACING-th position comes first; then, as the spacing halves, those amid four known diagonal neighbours and those
amid four known direct ones. `xvcodec.models.context` follows the same order in floating point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SPACING = 8
STEPS = 7
"""The lattice of every SPACING-th position, then two steps for each halving of the spacing."""


@dataclass(frozen=True)
class Step:
    """Places of a step in a field stored row by row, and of their neighbours; none at the first step."""

    places: NDArray[np.intp]  # [P]
    neighbours: NDArray[np.intp] | None  # [4, P]
    parents: NDArray[np.intp] | None = None  # [P]: the known place of the same 2x2, at the finest spacing


@lru_cache(maxsize=16)
def quincunx(height: int, width: int) -> tuple[Step, ...]:
    """The STEPS steps in which a field of height x width vectors is coded."""
    y, x = (axis.ravel() for axis in np.mgrid[:height, :width])
    steps = [Step(np.flatnonzero((y % SPACING == 0) & (x % SPACING == 0)), None)]
    spacing = SPACING // 2
    while spacing:
        grid = (y % spacing == 0) & (x % spacing == 0)
        odd_y, odd_x = y // spacing % 2 == 1, x // spacing % 2 == 1
        diagonal = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)]) * spacing
        direct = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)]) * spacing
        for chosen, offsets in ((odd_y & odd_x, diagonal), (odd_y ^ odd_x, direct)):
            places = np.flatnonzero(grid & chosen)
            parents = (y & ~1)[places] * width + (x & ~1)[places] if spacing == 1 else None
            steps.append(Step(places, _neighbours(y[places], x[places], offsets, height, width), parents))
        spacing //= 2
    return tuple(steps)


def _neighbours(y: NDArray[np.intp], x: NDArray[np.intp], offsets: NDArray[np.intp], height: int,
                width: int) -> NDArray[np.intp]:
    """Places [4, P] around (y, x) [P]: one beyond an edge is mirrored, or the first that exists takes its turn."""
    dy, dx = offsets[:, :1], offsets[:, 1:]
    near_y, near_x = np.where(y + dy < height, y + dy, y - dy), np.where(x + dx < width, x + dx, x - dx)
    near_y, near_x = np.where(near_y < 0, y - dy, near_y), np.where(near_x < 0, x - dx, near_x)
    inside = (near_y >= 0) & (near_y < height) & (near_x >= 0) & (near_x < width)
    near = near_y * width + near_x
    return np.where(inside, near, np.take_along_axis(near, inside.argmax(0)[None], 0))
