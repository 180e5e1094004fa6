"""Shifts: by how many tables the symbols of a GOP are off from those that contexts name, sent ahead of them.

Contexts are fitted to many clips at many qualities; one GOP has more of what they expect, or less. Tables lie in groups of
GROUP from narrow to wide, so that a few whole numbers tell all of it. Measured on six clips at crf 38 and 58, shifts
included: vectors (`xvcodec.codec.field_shifts`) take 7 % fewer bits in the mean, coefficients 0.8 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.errors import DamagedError
from xvc_bitstream.tables import TableSet

Ints = NDArray[np.int32]
Tables = NDArray[np.uint8]
Pass = tuple[Ints, Tables]

REACH = 8
"""Largest shift, either way."""
CODED_WITH = 18
"""Table that codes shifts: none costs 0.9 bits, one of 4 costs 8."""
GROUP = 64
"""Tables that belong together: by formula, and fitted for each class of frequencies."""
ALL = np.arange(-REACH, REACH + 1, dtype=np.int32)


def said(shifts: Ints, table: int = CODED_WITH) -> Pass:
    """The pass that says shifts of any shape with one table."""
    return shifts.ravel(), tables_of(shifts.size, table)


def tables_of(count: int, table: int = CODED_WITH) -> Tables:
    """Tables of the pass that says so many shifts."""
    return np.full(count, table, np.uint8)


def within(shifts: Ints) -> Ints:
    """The shifts where all are within +-REACH; else raises DamagedError."""
    if shifts.size and not -REACH <= shifts.min() <= shifts.max() <= REACH:
        raise DamagedError("a shift of probability tables is out of its range: the file is damaged")
    return shifts


def shifting(read: Callable[[Tables], Ints], tables: int) -> Callable[[Tables], Ints]:
    """What reads passes with shifted tables: takes the shifts of so many tables out of a stream first."""
    instead = moved(within(read(tables_of(tables // GROUP))))
    return lambda index: read(instead[index])


class Prices:
    """What symbols cost with each table, bits."""

    def __init__(self, tables: TableSet) -> None:
        self.tables = tables
        self.bits = 16.0 - np.log2(tables.frequencies.astype(np.float64))

    def entries(self, symbols: Ints) -> NDArray[np.intp]:
        """Of symbols, where they stand in their tables: those beyond at the escape."""
        there = (symbols >= self.tables.lowest) & (symbols <= self.tables.highest)
        return np.where(there, symbols - self.tables.lowest, self.tables.escape)

    def cheapest(self, cost: NDArray[np.float64], table: int = CODED_WITH) -> Ints:
        """Of the cost of each of ALL shifts [..., 2 REACH + 1] the cheapest, what it takes to say it included, [...]."""
        return ALL[(cost + self.bits[table, self.entries(ALL)]).argmin(-1)]


def shift(passes: Sequence[Pass], prices: Prices) -> list[Pass]:
    """Some passes with the tables that cost the fewest bits, behind the pass that says so."""
    shifts = _best(passes, prices)
    instead = moved(shifts)
    return [said(shifts), *((symbols, instead[index]) for symbols, index in passes)]


def moved(shifts: Ints) -> Tables:
    """Which table stands in for each, [GROUP * G], when groups of tables [G] are shifted; table 0, which is none, stays."""
    usual = np.arange(shifts.size * GROUP)
    first = usual // GROUP * GROUP
    found = (usual + shifts.repeat(GROUP)).clip(np.maximum(first, 1), first + GROUP - 1)
    return np.where(usual, found, 0).astype(np.uint8)


def _best(passes: Sequence[Pass], prices: Prices) -> Ints:
    """The shifts of the groups of tables under which some passes cost the fewest bits, [groups]."""
    count, symbols = prices.bits.shape
    groups = count // GROUP
    seen = np.zeros((count, symbols))
    for values, index in passes:
        place = index.astype(np.intp) * symbols + prices.entries(values)
        seen += np.bincount(place, minlength=seen.size).reshape(seen.shape)
    cost = seen @ prices.bits.T  # [table named, table used]
    named = np.arange(groups * GROUP)
    each = [cost[named, moved(np.full(groups, shift, np.int32))].reshape(groups, GROUP).sum(1) for shift in ALL]
    return prices.cheapest(np.stack(each, axis=1))
