"""Contexts of coefficients: the decoder sees what the encoder saw, sums are exact, tables follow what is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from xvcodec.codec.coefficient_contexts import BUCKETS, EDGES, LIMIT, TOP, CoefficientContexts, Ints, layout
from xvcodec.codec.coefficients import NONE, Contexts, Sizes, sizes_of
from xvcodec.codec.crossmodal_contexts import CrossmodalContexts
from xvcodec.codec.quantise import SKIP
from xvcodec.models.crossmodal import LEAST
from xvcodec.models.layers import QUALITIES
from xvcodec.models.transform import frequencies, values_of

KINDS = [(8, 1), (8, 3), (16, 1)]
Indices = NDArray[np.intp]


def walked(contexts: Contexts, size: tuple[int, int], quality: float, other: Sizes | None,
           source: Ints) -> tuple[Ints, list[NDArray[np.uint8]]]:
    """Code what of `source` may be coded; the tables in their order."""
    tables: list[NDArray[np.uint8]] = []

    def take(places: Indices, channels: slice, table: NDArray[np.uint8]) -> Ints:
        tables.append(table)
        return np.where(table == NONE, 0, source[np.ix_(places, contexts.order[channels])]).astype(np.int32)

    return contexts.walk(np.full(size, quality).astype(np.int32), other, take), tables


@st.composite
def latents(draw: st.DrawFn) -> tuple[CoefficientContexts, tuple[int, int], Ints, Sizes | None]:
    patch, pictures = draw(st.sampled_from(KINDS))
    size = draw(st.integers(1, 11)), draw(st.integers(1, 11))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (size[0] * size[1], values_of(patch) * pictures)
    spread = draw(st.sampled_from([0.0, 0.2, 3.0, 1e6])) * rng.random((shape[0], 1))
    symbols = np.round(rng.laplace(size=shape) * spread).astype(np.int32)
    other = rng.integers(0, 2 * TOP, shape, np.uint8, endpoint=True) if draw(st.booleans()) else None
    return CoefficientContexts.default(patch, pictures), size, symbols, other


@settings(max_examples=40, deadline=None)
@given(latents(), st.floats(0.0, 63.0))
def test_the_decoder_asks_for_the_same_tables(
        made: tuple[CoefficientContexts, tuple[int, int], Ints, Sizes | None], quality: float) -> None:
    values, size, source, other = made
    contexts = Contexts(values, LEAST)
    symbols, tables = walked(contexts, size, quality, other, source)
    again, same = walked(contexts, size, quality, other, symbols)
    assert np.array_equal(again, symbols) and all(np.array_equal(*pair) for pair in zip(tables, same, strict=True))
    assert ((symbols == source) | (symbols == 0)).all()


def exact(values: CoefficientContexts, near: NDArray[Any], mine: NDArray[Any], other: NDArray[Any],
          step: int) -> NDArray[np.int64]:
    """Sums in 64-bit integers."""
    around, own, beside = (matrix.astype(np.int64) for matrix in values.matrices())
    near, mine, other = (sizes.astype(np.int64) for sizes in (near, mine, other))
    return near @ around[step] + mine @ own + other @ beside + values.bias[0]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_sums_are_exact_at_their_largest(kind: tuple[int, int]) -> None:
    values = CoefficientContexts.default(*kind)
    size = values.layout.classes.size
    near, mine, other = (np.full((2, size), top * TOP, np.float32) for top in (4, 1, 2))
    wanted = exact(values, near, mine, other, 0)
    assert wanted.max() < LIMIT
    around, own, beside = values.matrices()
    for order in (np.arange(size), np.random.default_rng(0).permutation(size)):
        sums = near[:, order] @ around[0][order] + mine[:, order] @ own[order] + other[:, order] @ beside[order]
        assert np.array_equal((sums + values.bias[0].astype(np.float32)).astype(np.int64), wanted)


def test_weights_that_could_not_be_summed_exactly_are_refused() -> None:
    good = CoefficientContexts.default(8, 1).to_tensors()
    assert CoefficientContexts.from_tensors(good).patch == 8
    for name, value in (("around", 1 << 20), ("own", -1), ("bias", LIMIT), ("size", 7)):
        wrong = {key: array.copy() for key, array in good.items()}
        wrong[name].reshape(-1)[...] = value
        with pytest.raises(ValueError, match=r"contexts|weights"):
            CoefficientContexts.from_tensors(wrong)
    with pytest.raises(ValueError, match="shape"):
        CoefficientContexts.from_tensors(good | {"bias": np.zeros((QUALITIES, 95), np.int32)})


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_layout_is_causal_and_complete(kind: tuple[int, int]) -> None:
    its = layout(*kind)
    assert sorted(np.concatenate(its.groups).tolist()) == list(range(values_of(kind[0]) * kind[1]))
    known = np.zeros(its.classes.size, bool)
    for channels in its.groups:
        for matrix in (its.lower, its.farther, its.earlier, its.latest):
            assert not matrix[np.ix_(~known, channels)].any(), "a channel may not depend on what is not decoded"
        known[channels] = True
    places = np.repeat(frequencies(kind[0]).numpy(), kind[1], 0)
    first, one = int(np.flatnonzero((places == [0, 0, 0]).all(1))[0]), int(np.flatnonzero((places == [0, 0, 1]).all(1))[0])
    assert its.lower[first, one] and its.around[first, one] and its.around[one, first] and not its.lower[one, first]


def test_neighbours_that_are_large_widen_the_tables() -> None:
    contexts = Contexts(CoefficientContexts.default(8, 1), LEAST)
    still, busy = np.zeros((64, 96), np.int32), np.full((64, 96), 4, np.int32)
    tables = [np.concatenate([table.ravel() for table in walked(contexts, (8, 8), 40.0, None, source)[1]])
              for source in (still, busy)]
    assert tables[1].astype(int).mean() > tables[0].astype(int).mean() + 10
    beside = np.concatenate([t.ravel() for t in walked(contexts, (8, 8), 40.0, sizes_of(busy), still)[1]])
    assert beside.astype(int).mean() > tables[0].astype(int).mean() + 5


def test_the_lowest_frequency_is_coded_where_nothing_is_expected() -> None:
    default = CoefficientContexts.default(8, 1)
    nothing = Contexts(replace(default, bias=np.zeros_like(default.bias), tables=np.zeros_like(default.tables)), LEAST)
    flash = np.zeros((64, 96), np.int32)
    flash[20, 0], flash[30, 5] = 7, 7
    symbols, tables = walked(nothing, (8, 8), 63.0, None, flash)
    assert symbols[20, 0] == 7 and not symbols[30].any()
    assert sum(int((table != NONE).sum()) for table in tables) == 64
    assert {int(index) for table in tables for index in table.ravel()} == {NONE, LEAST}


@pytest.mark.parametrize("least", [NONE, SKIP + 1, -1, 300])
def test_a_model_must_name_a_narrow_table(least: int) -> None:
    with pytest.raises(ValueError, match="narrowest table"):
        Contexts(CoefficientContexts.default(8, 1), least)


def test_each_position_is_coded_at_its_own_quality() -> None:
    default = CoefficientContexts.default(8, 1)
    bias = np.repeat(np.linspace(0, 60000, QUALITIES).astype(np.int32)[:, None], 96, axis=1)
    contexts = Contexts(replace(default, bias=bias), LEAST)
    found: dict[int, NDArray[np.uint8]] = {}

    def take(places: Indices, channels: slice, table: NDArray[np.uint8]) -> Ints:
        found.update(zip(places.tolist(), table, strict=True))
        return np.zeros(table.shape, np.int32)

    contexts.walk(np.array([[0, 63], [30, 63]], np.int32), None, take)
    assert found[1].mean() == found[3].mean() > found[2].mean() + 3 and found[2].mean() > found[0].mean() + 3


def test_contexts_of_other_latents_are_refused() -> None:
    good = CrossmodalContexts.default()
    with pytest.raises(ValueError, match="anchors"):
        CrossmodalContexts(good.fields, good.latents | {"anchor": good.latents["key"]})


def test_buckets_have_edges_that_rise() -> None:
    assert EDGES.size == BUCKETS - 1 and (np.diff(EDGES) > 0).all()
