"""Motion fields: exact round trips of anything legal, and few bits for smooth motion."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xvc_bitstream.coders import bits
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.field_contexts import TABLES, Ints
from xvcodec.codec.field_network import BIAS, ENTRY, INNER, SHIFTS, UNIT, FieldNetwork
from xvcodec.codec.field_shifts import shape_of
from xvcodec.codec.field_waves import LIMIT, SIDES, waves
from xvcodec.codec.fields import Read, decode_fields, encode_apart, encode_fields, passes_of
from xvcodec.codec.shifts import REACH, Prices
from xvcodec.errors import UsageError
from xvcodec.models.quincunx import quincunx

CONTEXTS = FieldNetwork.default()
PRICES = Prices(CONTEXTS.tables)
Pair = tuple[Ints, NDArray[np.uint8]]


def changed(**arrays: NDArray[np.generic]) -> FieldNetwork:
    """The network by formula with some arrays replaced."""
    return FieldNetwork.from_tensors({**CONTEXTS.to_tensors(), **arrays})


def wild() -> FieldNetwork:
    """Tables that follow nothing sensible, and all of them."""
    rng, most = np.random.default_rng(8), {"entry": 200, "place": 1 << 12, "inner": 60, "out": 40}
    arrays = {name: rng.integers(-high, high, CONTEXTS.to_tensors()[name].shape, np.int32) for name, high in most.items()}
    return changed(**arrays, out_bias=np.full(2, 32 * UNIT, np.int32))


NETWORKS = [CONTEXTS, wild()]


def decoded(fields: Ints, used: list[int], passes: list[Pair], contexts: FieldNetwork = CONTEXTS,
            anchors: Ints | None = None) -> Ints:
    """Decode what was encoded, checking that the decoder asks for the same tables."""

    following = iter([pair for pair in passes if pair[0].size])

    def read(index: NDArray[np.uint8]) -> Ints:
        assert index.dtype == np.uint8
        symbols, tables = next(following)
        np.testing.assert_array_equal(index, tables)
        return symbols

    return decode_fields((fields.shape[0], *fields.shape[3:]), used, contexts, read, anchors)


def cost(fields: Ints, used: list[int]) -> float:
    """Ideal bits."""
    return sum(bits(*pair, CONTEXTS.tables) for pair in encode_fields(fields, used, CONTEXTS, PRICES))


def legal(fields: Ints, used: list[int]) -> Ints:
    """`fields` with zeros in the slots that are not used, blurs and sides within their range."""
    fields[:, :, 2] = fields[:, :, 2].clip(-SIDES, SIDES)
    for chunk, count in enumerate(used):
        fields[chunk, 1 + count :] = 0
    return fields


@st.composite
def coded(draw: st.DrawFn) -> tuple[Ints, list[int]]:
    """Fields of any size and roughness with their used slots."""
    used = draw(st.lists(st.integers(0, 3), max_size=4))
    shape = (len(used), 4, 3, draw(st.integers(1, 20)), draw(st.integers(1, 20)))
    reach = draw(st.sampled_from([0, 1, 9, 140, LIMIT]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    fields = rng.integers(-reach, reach, shape, dtype=np.int32, endpoint=True)
    if draw(st.booleans()):
        fields = np.where(fields > 0, np.int32(reach), np.int32(-reach))  # the extremes only
    return legal(fields, used), used


@settings(max_examples=80, deadline=None)
@given(coded(), st.sampled_from(NETWORKS))
def test_round_trip(sample: tuple[Ints, list[int]], contexts: FieldNetwork) -> None:
    fields, used = sample
    prices = Prices(contexts.tables)
    passes = encode_fields(fields, used, contexts, prices)
    assert len(passes) == passes_of(len(used))
    assert all(tables.max(initial=0) < len(prices.tables) for _, tables in passes)
    assert all(s.dtype == np.int32 and i.dtype == np.uint8 and s.shape == i.shape and s.ndim == 1 for s, i in passes)
    height, width = fields.shape[3:]
    assert sum(symbols.size for symbols, _ in passes[1::2]) == height * width * 3 * (len(used) + sum(used))
    assert all((signs[0] != 0).sum() == sizes[0].size for signs, sizes in zip(passes[1::2], passes[2::2], strict=True))
    back = decoded(fields, used, passes, contexts)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, fields)
    again = encode_fields(fields, used, contexts, prices)
    for (symbols, index), (symbols_again, index_again) in zip(passes, again, strict=True):
        np.testing.assert_array_equal(symbols, symbols_again)
        np.testing.assert_array_equal(index, index_again)


@settings(max_examples=40, deadline=None)
@given(coded(), st.sampled_from(NETWORKS))
def test_two_streams_hold_what_one_does(sample: tuple[Ints, list[int]], contexts: FieldNetwork) -> None:
    fields, used = sample
    prices = Prices(contexts.tables)
    global_, detail = encode_apart(fields, used, contexts, prices)
    alone = decoded(fields, [0] * len(used), global_, contexts)
    np.testing.assert_array_equal(alone[:, 0], fields[:, 0])
    assert not alone[:, 1:].any()
    np.testing.assert_array_equal(decoded(fields, used, detail, contexts, alone[:, 0]), fields)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20))
def test_every_place_is_coded_once_after_its_neighbours(height: int, width: int) -> None:
    known = np.zeros(height * width, bool)
    for step in quincunx(height, width):
        assert not known[step.places].any()
        if step.neighbours is not None:
            assert known[step.neighbours].all()
        known[step.places] = True
    assert known.all()


def test_heaviest_contexts_do_not_overflow() -> None:
    most = {"entry": ENTRY, "place": BIAS, "inner": INNER, "out": INNER}
    contexts = changed(**{name: np.full_like(CONTEXTS.to_tensors()[name], high) for name, high in most.items()})
    fields = np.where(np.indices((2, 4, 3, 9, 9)).sum(0) % 2, np.int32(LIMIT), np.int32(-LIMIT))
    passes = encode_fields(legal(fields, [3, 3]), [3, 3], contexts, PRICES)
    named = [part.index for wave in waves(fields, [3, 3], contexts) for part, _ in wave if part.step]
    assert min(int(index.min()) for index in named) == TABLES - 1  # no sum wrapped to below zero
    np.testing.assert_array_equal(decoded(fields, [3, 3], passes, contexts), fields)


def test_smooth_motion_is_cheap() -> None:
    y, x = np.mgrid[:20, :20]
    smooth = np.zeros((2, 4, 3, 20, 20), np.int32)
    smooth[:, 0, 0], smooth[:, 0, 1] = 30 - x // 2, y // 2 * 4 - 20  # the same for each 2x2
    rough = smooth.reshape(2, 4, 3, 400)[..., np.random.default_rng(0).permutation(400)].reshape(smooth.shape)
    assert cost(smooth, [0, 0]) < 0.4 * cost(rough, [0, 0])
    assert cost(smooth, [3, 3]) < 0.5 * cost(rough, [3, 3])
    assert cost(np.zeros_like(smooth), [3, 3]) < 0.1 * smooth.size  # most of it for the first step's places


def test_unused_slots_cost_nothing() -> None:
    fields = np.random.default_rng(1).integers(-9, 10, (3, 4, 3, 7, 11), dtype=np.int32)
    costs = [cost(legal(fields.copy(), [3, 3, last]), [3, 3, last]) for last in range(4)]
    assert costs == sorted(costs)
    assert costs[0] < 0.8 * costs[3]


def test_tables_shift_where_a_gop_is_not_as_contexts_expect() -> None:
    lively = changed(out_bias=np.array([40 * UNIT, 8 * UNIT], np.int32))
    still = np.zeros((4, 4, 3, 20, 20), np.int32)
    busy = legal(np.random.default_rng(3).integers(-9, 10, still.shape, np.int32), [3] * 4)
    for fields in (still, busy):
        passes = encode_fields(fields, [3] * 4, lively, PRICES)
        parts = [each for wave in waves(fields, [3] * 4, lively) for each in wave]
        usual = sum(bits(np.sign(own).ravel(), part.index[0].ravel(), lively.tables) for part, own in parts)
        assert sum(bits(*pair, lively.tables) for pair in passes[1::2]) + bits(*passes[0], lively.tables) < usual
    shifts, tables = encode_fields(still, [3] * 4, lively, PRICES)[0]
    assert (tables == SHIFTS).all()
    signs, sizes = shifts.reshape(shape_of(3))
    assert signs.max() <= 0
    assert (signs[:, :, 1:, 1] < -2).all()  # of 16x16 and 8x8 blocks with nothing around that moves
    assert not sizes.any()  # there are none


def test_opposite_motion_is_coded_alike() -> None:
    fields = legal(np.random.default_rng(2).integers(-9, 10, (2, 4, 3, 7, 11), dtype=np.int32), [3, 3])
    for contexts in NETWORKS:
        _alike(*(encode_fields(sign * fields, [3, 3], contexts, Prices(contexts.tables)) for sign in (1, -1)))


def _alike(there: list[Pair], back: list[Pair]) -> None:
    for number, ((symbols, index), (negative, same)) in enumerate(zip(there, back, strict=True)):
        np.testing.assert_array_equal(symbols, -negative if number % 2 else negative)
        np.testing.assert_array_equal(index, same)


def test_a_photograph_has_no_fields() -> None:
    fields = np.zeros((0, 4, 3, 5, 5), np.int32)
    passes = encode_fields(fields, [], CONTEXTS, PRICES)
    assert not any(symbols.size for symbols, _ in passes)
    assert decoded(fields, [], passes).shape == fields.shape


def reading(first: int, others: int) -> Read:
    """Shifts of `first`, then nothing but `others`."""
    values = iter([first])
    return lambda index: np.full(index.shape, next(values, others), np.int32)


@pytest.mark.parametrize("wild", [LIMIT + 1, -LIMIT - 1, 2**31 - 1, -(2**31)])
def test_damaged_symbols_are_refused(wild: int) -> None:
    with pytest.raises(DamagedError, match="vector is out of its range"):
        decode_fields((1, 3, 3), [0], CONTEXTS, reading(0, wild))
    with pytest.raises(DamagedError, match="shift of probability tables is out of its range"):
        decode_fields((1, 3, 3), [0], CONTEXTS, reading(wild, 0))


def test_shifts_reach_as_far_as_said() -> None:
    for first, fine in ((REACH, True), (-REACH, True), (REACH + 1, False), (-REACH - 1, False)):
        with nullcontext() if fine else pytest.raises(DamagedError, match="shift"):
            assert not decode_fields((1, 3, 3), [1], CONTEXTS, reading(first, 0)).any()


def test_a_damaged_side_is_refused() -> None:
    with pytest.raises(DamagedError, match="vector is out of its range"):
        decode_fields((1, 3, 3), [1], CONTEXTS, reading(0, 2))


def test_wrong_arguments_are_refused() -> None:
    fields = legal(np.ones((1, 4, 3, 3, 3), np.int32), [3])
    cases: list[tuple[Any, list[int]]] = [
        (fields, [2]), (fields, []), (fields, [4]), (fields.astype(np.int16), [3]), (fields[0], [3]),
        (fields * (LIMIT + 1), [3]), (fields * 2, [3])]
    for bad, used in cases:
        with pytest.raises(UsageError):
            encode_fields(bad, used, CONTEXTS, PRICES)
