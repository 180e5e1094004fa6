"""Both coders: exact, near the ideal size, and agreeing with the plain Python decoder."""

from __future__ import annotations

import contextlib
from typing import Any

import coder_reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xvc_bitstream import Coder, CoderError, TableSet, UsageError, bits, get_coder, log_scales

LAPLACE = TableSet.laplace(log_scales(), 16)
EXTREME = TableSet([[0, 65535, 65536], [0, 1, 65536], [0, 32768, 65536]], 0)


@pytest.fixture(params=["constriction", "torchac"], scope="session")
def coder(request: pytest.FixtureRequest) -> Coder:
    if request.param == "torchac":
        request.getfixturevalue("torchac")
    return get_coder(request.param)


def laplace(count: int, seed: int = 0) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Symbols and table indices as a codec makes them: mostly narrow tables."""
    rng = np.random.default_rng(seed)
    index = np.minimum(rng.exponential(16, count), 63).astype(np.uint8)
    return np.rint(rng.laplace(0, 1, count) * log_scales()[index]).astype(np.int32), index


def agree(coder: Coder, symbols: NDArray[np.int32], index: NDArray[np.uint8], tables: TableSet) -> bytes:
    """Encode, decode, decode again in plain Python; return the payload."""
    data = coder.encode(symbols, index, tables)
    assert np.array_equal(coder.decode(data, index, tables), symbols)
    plain = coder_reference.decode(
        coder.id, data[: -4 if coder.id == 1 else None], index.tolist(), tables.cdf.tolist(), tables.lowest
    )
    assert plain == symbols.tolist()
    return data


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_integers_survive_any_tables(coder: Coder, data: st.DataObject) -> None:
    symbols = data.draw(st.integers(2, 9))
    weights = st.lists(st.sampled_from([0.0, 1.0, 7.0, 1e6]), min_size=symbols, max_size=symbols).filter(any)
    tables = TableSet.from_probabilities(
        data.draw(st.lists(weights, min_size=1, max_size=5)), data.draw(st.integers(-9, 9))
    )
    values = st.one_of(st.integers(-12, 12), st.integers(-(1 << 31), (1 << 31) - 1))
    pairs = data.draw(st.lists(st.tuples(values, st.integers(0, len(tables) - 1)), max_size=80))
    agree(coder, np.array([p[0] for p in pairs], np.int32), np.array([p[1] for p in pairs], np.uint8), tables)


@pytest.mark.parametrize("value", [0, 1, 2, -1])
@pytest.mark.parametrize("table", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_extreme_skews(coder: Coder, value: int, table: int, count: int) -> None:
    symbols = np.full(count, value, np.int32)
    agree(coder, symbols, np.full(count, table, np.uint8), EXTREME)


def test_the_size_is_the_ideal_one(coder: Coder) -> None:
    for count in (1, 100, 60_000):
        symbols, index = laplace(count)
        size, ideal = len(coder.encode(symbols, index, LAPLACE)), bits(symbols, index, LAPLACE) / 8
        assert ideal <= size <= ideal * 1.001 + 12  # torchac: 4 of them are its CRC


def test_slices_of_torchac_and_plain_python_agree(torchac: Coder, monkeypatch: pytest.MonkeyPatch) -> None:
    from xvc_bitstream.coders import torchac_coder

    symbols, index = laplace(3000)
    whole = torchac.encode(symbols, index, LAPLACE)
    monkeypatch.setattr(torchac_coder, "SLICE_ENTRIES", 1 << 14)
    sliced = torchac.encode(symbols, index, LAPLACE)
    assert len(sliced) > len(whole)
    assert np.array_equal(torchac.decode(sliced, index, LAPLACE), symbols)
    with pytest.raises(CoderError):
        torchac.decode(whole, index, LAPLACE)


def test_golden_words(coder: Coder) -> None:
    """Bytes that must never change: files in the world hold them."""
    tables = TableSet([[0, 64, 65024, 65472, 65536], [0, 16384, 32768, 49152, 65536], [0, 1, 2, 3, 65536]], -1)
    symbols = np.array([0, 1, -1, 0, 0, 2, -40, 0, 1, 100000, -2, 0, -(1 << 31)], np.int32)
    index = np.array([0, 1, 1, 0, 0, 2, 2, 1, 0, 2, 1, 0, 2], np.uint8)
    golden = {"constriction": GOLDEN_CONSTRICTION, "torchac": GOLDEN_TORCHAC}
    assert agree(coder, symbols, index, tables).hex() == golden[coder.name]


GOLDEN_CONSTRICTION = "0b004dbc9a0c01fdffffff0f" + "00cce8131f"
GOLDEN_TORCHAC = "0b004dbc9a0c01fdffffff0f" + "0286f0" + "9d158c4a"


def test_no_symbols_are_no_bytes(coder: Coder) -> None:
    none = np.zeros(0, np.int32), np.zeros(0, np.uint8)
    assert coder.encode(*none, LAPLACE) == b""
    assert coder.decode(b"", none[1], LAPLACE).shape == (0,)
    with pytest.raises(CoderError):
        coder.decode(b"\0", none[1], LAPLACE)


def test_damage_that_shows_is_an_error(coder: Coder) -> None:
    symbols, index = laplace(2000)
    data = coder.encode(symbols, index, LAPLACE)
    rng = np.random.default_rng(1)
    wrong = [data[:-1], data[:-4], data[:1], b"", data + b"\0", data + b"\1", data + bytes(4), b"\1" + data]
    wrong += [
        data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :] for at in range(0, len(data), 7)
    ]
    for broken in wrong:
        try:
            decoded = coder.decode(broken, index, LAPLACE)
        except CoderError:
            continue
        # only inside the escape section can a wrong bit make another valid payload: the chunk's CRC is for that
        assert broken[0] == data[0]
        assert decoded.shape == symbols.shape
        assert (decoded != symbols).sum() == 1


def test_other_tables_or_indices_are_noticed(coder: Coder) -> None:
    symbols, index = laplace(2000)
    data = coder.encode(symbols, index, LAPLACE)
    with pytest.raises(CoderError):
        coder.decode(data, index, TableSet.laplace(log_scales() * 1.01, 16))
    with pytest.raises(CoderError):
        coder.decode(data, 63 - index, LAPLACE)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 40))
def test_noise_decodes_to_an_error_or_to_integers(coder: Coder, data: bytes, count: int) -> None:
    with contextlib.suppress(CoderError):
        assert coder.decode(data, np.arange(count, dtype=np.uint8), LAPLACE).shape == (count,)


def test_wrong_arrays_are_refused(coder: Coder) -> None:
    symbols, index = np.zeros(4, np.int32), np.zeros(4, np.uint8)
    bad: list[tuple[Any, Any]] = [
        (symbols.astype(np.int64), index),
        (symbols[:3], index),
        (symbols, index + 64),
        (symbols.reshape(2, 2), index),
        (symbols, index.astype(np.int32)),
        (symbols.tolist(), index),
    ]
    for pair in bad:
        with pytest.raises(UsageError):
            coder.encode(*pair, LAPLACE)
    for strided in (np.arange(8, dtype=np.int32)[::2], np.arange(4, dtype=np.int32)[::-1]):
        agree(coder, strided, index, LAPLACE)


def test_coders_are_found_by_name_and_id() -> None:
    for which in (2, "constriction"):
        assert (get_coder(which).id, get_coder(which).name) == (2, "constriction")
    for which in (1, "torchac"):
        assert (get_coder(which).id, get_coder(which).name) == (1, "torchac")
    for which in (0, 3, "", "gzip"):
        with pytest.raises(CoderError, match="constriction or torchac"):
            get_coder(which)
