"""Shifts of tables: what they stand for, that they never cost more than they save, and that damage is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xvc_bitstream.coders import bits
from xvc_bitstream.errors import DamagedError
from xvc_bitstream.tables import TableSet, log_scales

from xvcodec.codec.shifts import CODED_WITH, GROUP, REACH, Ints, Pass, Prices, moved, said, shift, shifting, tables_of

FORMULA = TableSet.laplace(log_scales(), 127)
TABLES = TableSet(np.concatenate([FORMULA.cdf] * 3), FORMULA.lowest)
PRICES = Prices(TABLES)


def read_from(passes: list[Pass]) -> list[Ints]:
    """What a decoder reads that asks for the tables as they are named."""
    following = iter(passes)

    def read(index: np.ndarray) -> Ints:
        symbols, tables = next(following)
        np.testing.assert_array_equal(index, tables)
        return symbols

    take = shifting(read, len(TABLES))
    return [take(named) for named in NAMED]


RANDOM = np.random.default_rng(5)
NAMED = [RANDOM.integers(GROUP, 3 * GROUP, size).astype(np.uint8) for size in (0, 7, 4000)]


@settings(max_examples=20, deadline=None)
@given(st.floats(0.02, 9.0), st.integers(0, 2**32))
def test_shifted_passes_cost_no_more_and_are_read_back(spread: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    passes = [(np.rint(random.laplace(0.0, spread, index.size)).astype(np.int32), index) for index in NAMED]
    taken = shift(passes, PRICES)
    usual = sum(bits(*pair, TABLES) for pair in passes)
    assert sum(bits(*pair, TABLES) for pair in taken) <= usual + bits(*said(np.zeros(3, np.int32)), TABLES) + 1e-6
    for own, (symbols, _) in zip(read_from(taken), passes, strict=True):
        np.testing.assert_array_equal(own, symbols)


def test_wide_symbols_shift_their_own_group_up_and_narrow_ones_down() -> None:
    low, high = (np.full(3000, GROUP * group + 24, np.uint8) for group in (1, 2))
    passes = [(np.rint(RANDOM.laplace(0.0, 8.0, low.size)).astype(np.int32), low), (np.zeros(3000, np.int32), high)]
    shifts, tables = shift(passes, PRICES)[0]
    assert shifts.tolist() == [0, REACH, -REACH]
    assert (tables == CODED_WITH).all()


def test_tables_stay_within_their_group() -> None:
    assert np.array_equal(moved(np.zeros(4, np.int32)), np.arange(4 * GROUP))
    up, down = moved(np.full(4, REACH, np.int32)), moved(np.full(4, -REACH, np.int32))
    assert up[0] == down[0] == 0  # no table
    assert down[1:5].tolist() == [1] * 4
    for found in (up, down):
        assert np.array_equal(found[1:] // GROUP, np.arange(1, 4 * GROUP) // GROUP)
    assert up[GROUP : GROUP + 3].tolist() == [GROUP + REACH, GROUP + REACH + 1, GROUP + REACH + 2]


def test_symbols_beyond_their_tables_count_as_escapes() -> None:
    entries = PRICES.entries(np.array([TABLES.lowest - 1, TABLES.lowest, 0, TABLES.highest, 2**31 - 1], np.int32))
    assert entries.tolist() == [TABLES.escape, 0, -TABLES.lowest, TABLES.highest - TABLES.lowest, TABLES.escape]


@pytest.mark.parametrize("wild", [REACH + 1, -REACH - 1, 2**31 - 1, -(2**31)])
def test_shifts_out_of_range_are_refused(wild: int) -> None:
    with pytest.raises(DamagedError, match="shift of probability tables"):
        shifting(lambda index: np.full(index.shape, wild, np.int32), len(TABLES))
    assert tables_of(3).tolist() == [CODED_WITH] * 3
