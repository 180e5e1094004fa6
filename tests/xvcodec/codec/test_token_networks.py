"""Contexts of tokens: what a file may hold, exact products, and tables that are what they are named for."""

from __future__ import annotations

import numpy as np
import pytest
from token_models import CONTEXTS, wild

from xvcodec.codec.field_network import BIAS, ENTRY, INNER, LOGARITHMS, TOP, UNIT, WIDTH
from xvcodec.codec.field_network import LARGEST as COUNTED
from xvcodec.codec.token_contexts import (
    FLAG_FEATURES,
    LIKELY,
    REACH,
    SIGN_FEATURES,
    TokenContexts,
    nearest,
)
from xvcodec.codec.token_network import CHANCES, TokenNetwork

BOUNDS = {"entry": ENTRY, "place": BIAS, "state": BIAS, "inner": INNER, "inner_bias": BIAS, "out": INNER, "out_bias": BIAS}


def test_contexts_survive_a_file() -> None:
    arrays = wild().to_tensors()
    again = TokenContexts.from_tensors(arrays)
    assert all(np.array_equal(array, again.to_tensors()[name]) for name, array in arrays.items())
    with pytest.raises(ValueError, match="read-only"):
        again.flags.entry[...] = 0
    with pytest.raises(ValueError, match="read-only"):
        again.bits[...] = 0


@pytest.mark.parametrize("name", sorted(CONTEXTS.to_tensors()))
def test_strange_contexts_are_refused(name: str) -> None:
    arrays = CONTEXTS.to_tensors()
    with pytest.raises(KeyError, match=name.rpartition(".")[2]):
        TokenContexts.from_tensors({key: each for key, each in arrays.items() if key != name})
    own = arrays[name]
    strange = [own[:-1], own[None], own.astype(np.int64)]
    if name in ("bits", "scans"):
        strange.append(np.full_like(own, CHANCES))
    elif name == "cdf":
        strange.append(own[:, ::-1].copy())
    else:
        most = BOUNDS[name.rpartition(".")[2]]
        strange += [np.full_like(own, most + 1), np.full_like(own, -most - 1)]
    for bad in strange:
        with pytest.raises(ValueError, match=r"token|tables|network|rise|frequenc"):
            TokenContexts.from_tensors({**arrays, name: bad})


def test_tables_have_the_chances_they_are_named_for() -> None:
    frequencies = CONTEXTS.tables.frequencies / 65536.0
    for chance in (0.002, 0.1, 0.5, 0.9):
        flag, sign = (frequencies[CHANCES * kind + int(nearest(np.array([chance]))[0])] for kind in (0, 1))
        assert flag[REACH + 1] == pytest.approx(chance, rel=0.15)
        assert sign[REACH - 1] == pytest.approx(sign[REACH + 1], rel=1e-3)
        assert 2 * sign[REACH + 1] == pytest.approx(chance, rel=0.15)
    assert frequencies[LIKELY, REACH + 1] == pytest.approx(0.3, abs=0.03)


def heavy(seed: int, share: float) -> TokenNetwork:
    """Weights as large as may be, or a share of that."""
    random, tensors = np.random.default_rng(seed), TokenNetwork.default(len(SIGN_FEATURES), 7, 5).to_tensors()
    for name, each in tensors.items():
        most = int(BOUNDS[name] * share)
        tensors[name] = random.choice(np.array([-most, most], np.int32), each.shape)
    return TokenNetwork.from_tensors(tensors)


def rows(seed: int, count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, half of them all zero, places and states."""
    random = np.random.default_rng(seed)
    features = random.integers(0, 2 ** random.integers(1, 14, (count, 1)), (count, len(SIGN_FEATURES))).astype(np.int32)
    features[::2] = 0
    return features, random.integers(0, 7, count), random.integers(0, 5, count)


def exactly(network: TokenNetwork, features: np.ndarray, place: np.ndarray, state: np.ndarray) -> np.ndarray:
    """The same in 64-bit integers."""
    x = LOGARITHMS[np.minimum(features, COUNTED)].astype(np.int64)
    bias = network.place[place].astype(np.int64) + network.state[state]
    for weights, each, top in ((network.entry, bias, TOP), (network.inner, network.inner_bias, TOP),
                               (network.out, network.out_bias, CHANCES - 1)):
        x = ((x @ weights.astype(np.int64) + each + UNIT // 2) // UNIT).clip(0, top)
    return x[:, 0]


def test_products_are_exact_at_their_largest() -> None:
    networks = [*(heavy(seed, share) for seed in range(4) for share in (1.0, 0.2, 0.01)), wild().signs]
    for number, network in enumerate(networks):
        given = rows(number)
        found = network.tables(*given)
        np.testing.assert_array_equal(found, exactly(network, *given))
    assert np.unique(found).size > 40  # of the last
    for inputs in (len(FLAG_FEATURES), len(SIGN_FEATURES)):
        assert inputs * int(LOGARITHMS.max()) * ENTRY + 2 * BIAS + UNIT < 2**24
    assert WIDTH * TOP * INNER + BIAS + UNIT < 2**24


def test_a_row_gets_its_table_whatever_stands_beside_it() -> None:
    network, (features, place, state) = wild().signs, rows(5)
    whole = network.tables(features, place, state)
    order = np.random.default_rng(0).permutation(len(features))
    np.testing.assert_array_equal(network.tables(features[order], place[order], state[order]), whole[order])
    for at in (slice(0, 1), slice(1, 2), slice(0, 400, 2), slice(1, 400, 2), slice(0, 0)):
        np.testing.assert_array_equal(network.tables(features[at], place[at], state[at]), whole[at])
    twice = network.tables(*(np.concatenate((each, each)) for each in (features, place, state)))
    np.testing.assert_array_equal(twice, np.concatenate((whole, whole)))
