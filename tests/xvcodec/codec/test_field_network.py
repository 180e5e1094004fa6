"""The network that chooses tables of vectors: whole numbers whatever the order of summation, and what it sees."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from xvc_bitstream.coders import bits

from xvcodec.codec.field_contexts import COMPONENTS, ROLES, TABLES, Asked, Ints
from xvcodec.codec.field_network import (
    BIAS,
    ENTRY,
    INNER,
    INPUTS,
    LARGEST,
    LOGARITHMS,
    OCTAVE,
    REACH,
    SHIFTS,
    SIZES,
    TOP,
    UNIT,
    WIDTH,
    FieldNetwork,
    inputs_of,
)
from xvcodec.codec.field_waves import Part, waves
from xvcodec.codec.fields import encode_fields
from xvcodec.codec.shifts import Prices
from xvcodec.models.quincunx import STEPS

BOUNDS = {"entry": ENTRY, "place": BIAS, "inner": INNER, "inner_bias": BIAS, "out": INNER, "out_bias": BIAS}


def heavy(seed: int, share: float = 1.0) -> FieldNetwork:
    """Weights as large as may be."""
    rng, tensors = np.random.default_rng(seed), FieldNetwork.default().to_tensors()
    for name, most in BOUNDS.items():
        most = int(most * share)
        tensors[name] = rng.choice(np.array([-most, most], np.int32), tensors[name].shape)
    return FieldNetwork.from_tensors(tensors)


def asked(seed: int, count: int = 500) -> Asked:
    rng = np.random.default_rng(seed)
    columns: list[Ints] = [rng.integers(0, 2**rng.integers(1, 15), (count, 1)).astype(np.int32) for _ in range(INPUTS)]
    return Asked(2, 1, 6, columns[:5], columns[5:])


def exactly(network: FieldNetwork, one: Asked) -> NDArray[np.int64]:
    """The same in 64-bit integers."""
    x = inputs_of(one).astype(np.int64)
    for weights, bias, top in ((network.entry, network.place[one.role, one.component, one.step], TOP),
                               (network.inner, network.inner_bias, TOP), (network.out, network.out_bias, TABLES - 1)):
        x = ((x @ weights.astype(np.int64) + bias + UNIT // 2) // UNIT).clip(0, top)
    return x.T[..., None]


def test_products_are_exact_at_their_largest() -> None:
    for seed in range(5):
        for share in (1.0, 0.2, 0.01):
            network, one = heavy(seed, share), asked(seed)
            np.testing.assert_array_equal(network.indices([one])[0], exactly(network, one))
    assert INPUTS * int(LOGARITHMS.max()) * ENTRY + BIAS + UNIT < 2**24
    assert WIDTH * TOP * INNER + BIAS + UNIT < 2**24


def test_what_is_asked_together_is_answered_alone() -> None:
    network, several = heavy(7, 0.05), [asked(seed, 10 * seed + 1) for seed in range(4)]
    together = network.indices(several)
    for one, found in zip(several, together, strict=True):
        assert found.dtype == np.uint8 and found.max() < TABLES
        np.testing.assert_array_equal(network.indices([one])[0], found)
    assert network.indices([]) == []


def test_features_are_seen_by_their_logarithm() -> None:
    assert LOGARITHMS.size == LARGEST + 1 and LOGARITHMS[0] == 0 and LOGARITHMS[1] == OCTAVE and LOGARITHMS[3] == 2 * OCTAVE
    assert (np.diff(LOGARITHMS.astype(int)) >= 0).all()
    one = Asked(0, 0, 3, [np.array([[1], [2**30]], np.int32), None, None])
    assert inputs_of(one)[:, 0].tolist() == [OCTAVE, int(LOGARITHMS[-1])] and not inputs_of(one)[:, 1:].any()


def moving(chunks: int) -> Ints:
    """A square that moves on its own, the same in every chunk."""
    fields = np.zeros((chunks, 4, 3, 16, 16), np.int32)
    fields[:, 0, 0, 4:8, 4:8] = 9
    return fields


def test_the_chunk_before_is_seen() -> None:
    seen: dict[tuple[int, int], list[Asked]] = {}

    class Spy(FieldNetwork):
        def indices(self, asked: list[Asked]) -> list[NDArray[np.uint8]]:  # type: ignore[override]
            for one in asked:
                seen.setdefault((one.role, one.component), []).append(one)
            return super().indices(asked)

    found = list(waves(moving(3), [0, 0, 0], Spy.from_tensors(FieldNetwork.default().to_tensors())))
    parts: list[Part] = [part for wave in found for part, _ in wave]
    assert len(parts) == 3 * COMPONENTS * STEPS
    horizontal = [one for one in seen[0, 0] if one.step == 3]
    first, *others = horizontal
    assert first.beside[0] is not None and first.beside[1] is None  # no component before the horizontal one
    assert all(feature is None for feature in first.beside[2:])
    for one in others:
        distance, size, there = one.beside[2:]
        assert distance is not None and size is not None and there is not None
        assert there.all() and distance.any() and np.array_equal(distance, size)  # all chunks move alike


def test_what_goes_on_moving_costs_less_where_the_network_listens_to_it() -> None:
    tensors = FieldNetwork.default().to_tensors()
    tensors["entry"][...] = 0
    deaf = FieldNetwork.from_tensors(tensors)
    tensors["entry"][8, 0] = UNIT  # the residual of the chunk before
    tensors["out"][0] = UNIT // 2
    listening = FieldNetwork.from_tensors(tensors)
    costs = [sum(bits(*pair, network.tables) for pair in encode_fields(moving(8), [0] * 8, network, Prices(network.tables)))
             for network in (deaf, listening)]
    assert costs[1] < 0.8 * costs[0]


def test_tables_of_signs_have_no_room_for_other_symbols() -> None:
    frequencies = FieldNetwork.default().tables.frequencies.astype(float) / 2**16
    signs = frequencies[:SIZES, REACH - 1 : REACH + 2]
    assert (signs.sum(1) > 0.999).all() and signs[0, 1] > 0.999 and signs[-1, 1] < 0.1
    sizes = frequencies[SIZES:SHIFTS]
    assert sizes[0, REACH] > 0.94 and (np.diff(sizes[:, REACH]) < 0).all()


def test_it_survives_a_weights_file() -> None:
    network = heavy(3, 0.3)
    back = FieldNetwork.from_tensors(network.to_tensors())
    assert all(np.array_equal(array, back.to_tensors()[name]) for name, array in network.to_tensors().items())
    assert back.place.shape == (ROLES, COMPONENTS, STEPS, WIDTH) and np.array_equal(back.tables.cdf, network.tables.cdf)
    with pytest.raises(ValueError, match="read-only"):
        back.entry[...] = 0


@pytest.mark.parametrize("name", BOUNDS)
def test_weights_out_of_range_are_refused(name: str) -> None:
    tensors = FieldNetwork.default().to_tensors()
    tensors[name][..., -1] = BOUNDS[name] + 1
    with pytest.raises(ValueError, match="range"):
        FieldNetwork.from_tensors(tensors)
    with pytest.raises(ValueError, match="shape or type"):
        FieldNetwork.from_tensors({**tensors, name: tensors[name][:-1]})


def test_tables_that_are_none_are_refused() -> None:
    tensors = FieldNetwork.default().to_tensors()
    tensors["cdf"][3, 4] = 0
    with pytest.raises(ValueError, match="rise strictly"):
        FieldNetwork.from_tensors(tensors)
