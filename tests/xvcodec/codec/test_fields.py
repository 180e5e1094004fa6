"""Motion fields: exact round trips of anything legal, and few bits for smooth motion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xvc_bitstream.coders import bits
from xvc_bitstream.errors import DamagedError
from xvc_bitstream.tables import TableSet, log_scales

from xvcodec.codec.field_contexts import BUCKETS, EDGES, HEAVIEST, Ints
from xvcodec.codec.fields import LIMIT, PASSES, SIDES, FieldContexts, decode_fields, encode_fields
from xvcodec.codec.quincunx import quincunx
from xvcodec.errors import UsageError

CONTEXTS = FieldContexts.default()
TABLES = TableSet.laplace(log_scales(), 127)
Pair = tuple[Ints, NDArray[np.uint8]]


def decoded(fields: Ints, used: list[int], passes: list[Pair], contexts: FieldContexts = CONTEXTS) -> Ints:
    """Decode what was encoded, checking that the decoder asks for the same tables."""

    following = iter([pair for pair in passes if pair[0].size])

    def read(index: NDArray[np.uint8]) -> Ints:
        assert index.dtype == np.uint8
        symbols, tables = next(following)
        np.testing.assert_array_equal(index, tables)
        return symbols

    return decode_fields((fields.shape[0], *fields.shape[3:]), used, contexts, read)


def cost(fields: Ints, used: list[int]) -> float:
    """Ideal bits."""
    return sum(bits(symbols, index, TABLES) for symbols, index in encode_fields(fields, used, CONTEXTS))


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


@settings(max_examples=50, deadline=None)
@given(coded())
def test_round_trip(sample: tuple[Ints, list[int]]) -> None:
    fields, used = sample
    passes = encode_fields(fields, used, CONTEXTS)
    assert len(passes) == PASSES
    assert all(s.dtype == np.int32 and i.dtype == np.uint8 and s.shape == i.shape and s.ndim == 1 for s, i in passes)
    height, width = fields.shape[3:]
    assert sum(symbols.size for symbols, _ in passes[::2]) == height * width * 3 * (len(used) + sum(used))
    assert all((signs[0] != 0).sum() == sizes[0].size for signs, sizes in zip(passes[::2], passes[1::2], strict=True))
    back = decoded(fields, used, passes)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, fields)
    again = encode_fields(fields, used, CONTEXTS)
    for (symbols, index), (symbols_again, index_again) in zip(passes, again, strict=True):
        np.testing.assert_array_equal(symbols, symbols_again)
        np.testing.assert_array_equal(index, index_again)


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
    weights = np.full_like(CONTEXTS.weights, HEAVIEST)
    contexts = FieldContexts(weights, CONTEXTS.tables)
    fields = np.where(np.indices((2, 4, 3, 9, 9)).sum(0) % 2, np.int32(LIMIT), np.int32(-LIMIT))
    passes = encode_fields(legal(fields, [3, 3]), [3, 3], contexts)
    assert min(int(index.min()) for _, index in passes[4:] if index.size) > 40  # no sum wrapped to below zero
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


def test_opposite_motion_is_coded_alike() -> None:
    fields = legal(np.random.default_rng(2).integers(-9, 10, (2, 4, 3, 7, 11), dtype=np.int32), [3, 3])
    there, back = (encode_fields(sign * fields, [3, 3], CONTEXTS) for sign in (1, -1))
    for number, ((symbols, index), (negative, same)) in enumerate(zip(there, back, strict=True)):
        np.testing.assert_array_equal(symbols, negative if number % 2 else -negative)
        np.testing.assert_array_equal(index, same)


def test_a_photograph_has_no_fields() -> None:
    fields = np.zeros((0, 4, 3, 5, 5), np.int32)
    passes = encode_fields(fields, [], CONTEXTS)
    assert not any(symbols.size for symbols, _ in passes)
    assert decoded(fields, [], passes).shape == fields.shape


@pytest.mark.parametrize("wild", [LIMIT + 1, -LIMIT - 1, 2**31 - 1, -(2**31)])
def test_damaged_symbols_are_refused(wild: int) -> None:
    with pytest.raises(DamagedError, match="out of its range"):
        decode_fields((1, 3, 3), [0], CONTEXTS, lambda index: np.full(index.shape, wild, np.int32))


def test_a_damaged_side_is_refused() -> None:
    with pytest.raises(DamagedError, match="out of its range"):
        decode_fields((1, 3, 3), [1], CONTEXTS, lambda index: np.full(index.shape, 2, np.int32))


def test_wrong_arguments_are_refused() -> None:
    fields = legal(np.ones((1, 4, 3, 3, 3), np.int32), [3])
    cases: list[tuple[Any, list[int]]] = [
        (fields, [2]), (fields, []), (fields, [4]), (fields.astype(np.int16), [3]), (fields[0], [3]),
        (fields * (LIMIT + 1), [3]), (fields * 2, [3])]
    for bad, used in cases:
        with pytest.raises(UsageError):
            encode_fields(bad, used, CONTEXTS)


def test_contexts_survive_a_weights_file() -> None:
    back = FieldContexts.from_tensors(CONTEXTS.to_tensors())
    assert np.array_equal(back.weights, CONTEXTS.weights)
    assert np.array_equal(back.tables, CONTEXTS.tables)
    assert EDGES.size == BUCKETS - 1
    assert (np.diff(EDGES) > 0).all()
    with pytest.raises(ValueError, match="read-only"):
        back.weights[...] = 0


@pytest.mark.parametrize(("name", "value"), [("weights", -1), ("weights", HEAVIEST + 1), ("tables", 64)])
def test_contexts_out_of_range_are_refused(name: str, value: int) -> None:
    tensors = CONTEXTS.to_tensors()
    tensors[name][..., -1] = value
    with pytest.raises(ValueError, match="range"):
        FieldContexts.from_tensors(tensors)
    with pytest.raises(ValueError, match="shape or type"):
        FieldContexts.from_tensors({**tensors, name: tensors[name][:1]})
