"""Tables are strict integers, the same however they are made."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xvc_bitstream import TableSet, UsageError, bits, log_scales
from xvc_bitstream.coders.escape import join, parse, split


def test_laplace_tables_are_symmetric_strict_and_complete() -> None:
    tables = TableSet.laplace(log_scales(), 20)
    frequencies = tables.frequencies.astype(np.int64)
    assert (len(tables), tables.symbols, tables.lowest, tables.highest, tables.escape) == (64, 42, -20, 20, 41)
    assert (frequencies.sum(axis=1) == 65536).all()
    assert frequencies.min() >= 1
    inner = frequencies[:, :-1]
    assert np.abs(inner - inner[:, ::-1]).max() <= 1  # the largest remainder may favour one side by a count
    assert (np.diff(inner[:, 20]) <= 0).all()  # wider scales have lower peaks
    assert not tables.cdf.flags.writeable


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_tables_from_counts_keep_every_entry_and_the_proportions(data: st.DataObject) -> None:
    symbols = data.draw(st.integers(2, 40))
    counts = data.draw(st.lists(st.integers(0, 10**12), min_size=symbols, max_size=symbols).filter(any))
    tables = TableSet.from_counts([counts], 0)
    ideal = np.array(counts) / sum(counts) * (65536 - symbols) + 1
    assert np.abs(tables.frequencies[0] - ideal).max() < 1


@pytest.mark.parametrize(
    "cdf",
    [
        [[0, 65536]],  # escape alone
        [[0, 5, 5, 65536]],  # an entry without frequency
        [[0, 9, 5, 65536]],
        [[1, 5, 65536]],
        [[0, 5, 65535]],
        [[-1, 5, 65536]],
        [0, 5, 65536],
        [[0.0, 5.0, 65536.0]],
        np.zeros((0, 4), np.int64),
        np.tile([0, 5, 65536], (257, 1)),
        [np.append(np.arange(4097), 65536)],
    ],
)
def test_other_arrays_are_refused(cdf: object) -> None:
    with pytest.raises(UsageError):
        TableSet(cdf, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("lowest", [-(1 << 31) - 1, (1 << 31) - 1])
def test_an_alphabet_stays_inside_32_bits(lowest: int) -> None:
    with pytest.raises(UsageError):
        TableSet([[0, 5, 65536]], lowest)


@pytest.mark.parametrize("weights", [[[0.0, 0.0]], [[np.nan, 1.0]], [[-1.0, 2.0]], [1.0, 2.0]])
def test_weights_without_a_meaning_are_refused(weights: object) -> None:
    with pytest.raises(UsageError):
        TableSet.from_probabilities(weights, 0)  # type: ignore[arg-type]


def test_the_digest_is_the_one_of_the_specification() -> None:
    tables = TableSet([[0, 5, 65536], [0, 6, 65536]], -1)
    raw = b"XVC tables 1" + b"".join(n.to_bytes(8, "little", signed=True) for n in (2, 2, -1))
    raw += b"".join(n.to_bytes(4, "little") for n in (0, 5, 65536, 0, 6, 65536))
    assert tables.digest() == hashlib.sha256(raw).digest()
    assert tables.digest() != TableSet([[0, 5, 65536], [0, 6, 65536]], 0).digest()


def test_ideal_bits_count_the_escapes() -> None:
    tables = TableSet([[0, 32768, 49152, 65536]], 0)  # 0: one bit, 1: two bits, escape: two bits
    index = np.zeros(4, np.uint8)
    assert bits(np.array([0, 0, 1, 1], np.int32), index, tables) == 6
    assert bits(np.array([0, 0, 1, 2], np.int32), index, tables) == 14
    assert bits(np.array([0, 0, 1, 66], np.int32), index, tables) == 22  # code 128 takes two bytes


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.integers(-9, 9), st.integers(-(1 << 31), (1 << 31) - 1)), max_size=60), st.integers(2, 9))
def test_escapes_keep_every_32_bit_integer(values: list[int], symbols: int) -> None:
    for lowest in (-3, -(1 << 31), (1 << 31) - symbols):
        tables = TableSet([[*range(symbols), 65536]], lowest)
        entries, section = split(np.array(values, np.int32), tables)
        assert join(entries, parse(section, tables), tables)[0].tolist() == values
        inside = [lowest <= value <= tables.highest for value in values]
        assert (entries != tables.escape).tolist() == inside
