"""Walking over tokens: what was coded comes back, prefixes too, and integers alone decide."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xvcodec.codec.onedva_progress import Progress
from xvcodec.codec.token_contexts import KINDS, REACH, TokenContexts, nearest, tables
from xvcodec.codec.tokens import Asked, Layer, Walk, make_layers, values
from xvcodec.models.chain import chunks_of

CONTEXTS = TokenContexts.default()
COST = 16.0 - np.log2(tables().frequencies.astype(np.float64))


def coded(frames: int, grid: tuple[int, int], seed: int, size: float = 30.0) -> Progress:
    random = np.random.default_rng(seed)
    layers, _ = make_layers(chunks_of(frames), grid)
    found = [random.laplace(0, size, (layer.known.shape)).astype(np.float32) for layer in layers]
    return Progress(layers, found, CONTEXTS, COST)


def replayed(frames: int, grid: tuple[int, int], progress: Progress, count: int) -> tuple[list[Layer], list[np.ndarray]]:
    layers, _ = make_layers(chunks_of(frames), grid)
    walk = Walk(layers, CONTEXTS)
    passes: Iterator[tuple[np.ndarray, np.ndarray]] = (one for scan in progress.scans[:count] for one in scan.passes)
    seen = []

    def take(asked: Asked, table: np.ndarray) -> np.ndarray:
        symbols, index = next(passes)
        seen.append(table)
        assert np.array_equal(index, table)
        return symbols

    for _ in range(count):
        assert walk.scan(take)
    return layers, seen


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 7), st.integers(1, 2), st.integers(1, 2), st.integers(0, 99))
def test_everything_comes_back(frames: int, rows: int, columns: int, seed: int) -> None:
    progress = coded(frames, (rows, columns), seed)
    while progress.more():
        pass
    layers, _ = replayed(frames, (rows, columns), progress, len(progress.scans))
    for layer, own in zip(layers, progress.coefficients, strict=True):
        assert np.array_equal(layer.known * layer.signs, np.fix(own).astype(np.int32))


def test_error_never_grows() -> None:
    progress = coded(6, (2, 3), 5)
    whole = progress.until(0)
    assert [scan.level for scan in progress.scans] == sorted(scan.level for scan in progress.scans)
    errors = []
    for count in (1, whole // 3, whole // 2, whole * 3 // 4, whole):
        layers, _ = replayed(6, (2, 3), progress, count)
        found = [values(layer.known, layer.signs, layer.plane, 1.0) for layer in layers]
        errors.append(sum(float(np.square(own - each).sum())
                          for own, each in zip(progress.coefficients, found, strict=True)))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.05 * errors[0]


def test_prefixes_meet_what_is_asked() -> None:
    progress = coded(3, (2, 2), 1)
    count = progress.until(3)
    layers, _ = replayed(3, (2, 2), progress, count)
    for layer, own in zip(layers, progress.coefficients, strict=True):
        off = np.abs(values(layer.known, layer.signs, layer.plane, 1.0) - own)
        assert off.max() < 8.0 and np.abs(own)[layer.known == 0].max() < 8.0
    few = progress.until(0, 7)
    assert sum(scan.tokens for scan in progress.scans[:few]) <= 7 or few == 1
    pieces = progress.pieces(count)
    assert sum(piece.scans for piece in pieces) == count
    assert sum(piece.tokens for piece in pieces) == sum(scan.tokens for scan in progress.scans[:count])


def test_contexts_survive_a_file_and_refuse_strange_values() -> None:
    arrays = CONTEXTS.to_tensors()
    again = TokenContexts.from_tensors(arrays)
    assert all(np.array_equal(arrays[name], getattr(again, name)) for name in arrays)
    for name, bad in (("flag_bias", -1), ("flag_weights", 1 << 20), ("sign_tables", 200)):
        broken = {**arrays, name: np.full_like(arrays[name], bad)}
        with pytest.raises(ValueError, match=name):
            TokenContexts.from_tensors(broken)


def test_tables_have_the_chances_they_are_named_for() -> None:
    frequencies = tables().frequencies / 65536.0
    for chance in (0.002, 0.1, 0.5, 0.9):
        flag, sign = (frequencies[64 + 48 * kind + int(nearest(np.array([chance]))[0])] for kind in (0, 1))
        assert flag[REACH + 1] == pytest.approx(chance, rel=0.15)
        assert sign[REACH - 1] == pytest.approx(sign[REACH + 1], rel=1e-3)
        assert 2 * sign[REACH + 1] == pytest.approx(chance, rel=0.15)


def test_a_photograph_has_no_differences() -> None:
    layers, members = make_layers([], (2, 2))
    assert [KINDS[layer.kind] for layer in layers] == ["means", "canvas"] and len(members) == 2
