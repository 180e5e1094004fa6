"""Shifts of the tables of a GOP's motion, see `xvcodec.codec.shifts`: one for each kind of symbol and of place.

The coarser a GOP is coded, the fewer of its 8x8 blocks leave their 16x16 block; and where nothing around has moved, still
clips are far stiller than others. Shifts are int32 [2, roles, COMPONENTS, LEVELS, 2]: of tables of signs and of sizes, by
role and component, at the places of several steps of the quincunx, and there where something known has moved and where
nothing has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.field_contexts import COMPONENTS, TABLES, Ints
from xvcodec.codec.field_network import SHIFTS, SIZES
from xvcodec.codec.shifts import ALL, Prices

UNIT = 2
"""Tables that a shift of 1 goes up."""
LEVELS = 3
_LEVEL = (0, 0, 0, 1, 1, 2, 2)
"""Of each step: beyond 16x16 blocks, 16x16 blocks, 8x8 blocks."""


def shape_of(roles: int) -> tuple[int, int, int, int, int]:
    """Of the shifts of a GOP whose fields have so many roles."""
    return 2, roles, COMPONENTS, LEVELS, 2


def shifted(tables: NDArray[np.uint8], quiet: NDArray[np.bool_], step: int, own: Ints) -> NDArray[np.uint8]:
    """Tables of a step as a GOP has them.

    Args:
        tables: of signs and of sizes as contexts name them, [2, P, n]; quiet: where nothing known has moved, [P, n].
        own: the GOP's shifts for the role and component, [2, LEVELS, 2].
    """
    by = own[:, _LEVEL[step], :, None, None] * UNIT
    return (tables + np.where(quiet, by[:, 1], by[:, 0])).clip(0, TABLES - 1).astype(np.uint8)


class Survey:
    """Counts what a GOP's fields code, and finds the shifts that cost the fewest bits, their own included."""

    def __init__(self, roles: int, prices: Prices) -> None:
        self.prices, self.symbols = prices, prices.bits.shape[1]
        self.counts = np.zeros((*shape_of(roles), TABLES, self.symbols))

    def note(self, role: int, component: int, step: int, index: NDArray[np.uint8], quiet: NDArray[np.bool_],
             signs: Ints, sizes: Ints) -> None:
        """Note a step's symbols [n] that would have tables `index` [2, n]; sizes count where signs are not zero."""
        for kind, (values, here) in enumerate(((signs, slice(None)), (sizes, signs != 0))):
            table = quiet[here] * TABLES + index[kind][here].astype(np.intp)
            place = table * self.symbols + self.prices.entries(values[here])
            found = np.bincount(place, minlength=2 * TABLES * self.symbols).reshape(2, TABLES, self.symbols)
            self.counts[kind, role, component, _LEVEL[step]] += found

    def best(self) -> Ints:
        """The shifts."""
        named = np.arange(TABLES)
        bits = [self.prices.bits[first : first + TABLES].T for first in (0, SIZES)]
        cost = np.stack([counts @ each for counts, each in zip(self.counts, bits, strict=True)])  # [.., named, used]
        used = (named + UNIT * ALL[:, None]).clip(0, TABLES - 1)
        return self.prices.cheapest(cost[..., named, used].sum(-1), SHIFTS)
