"""The network of motion contexts, fitted: whole numbers that the codec takes, and fewer bits."""

from __future__ import annotations

import numpy as np
import torch
from xvc_bitstream.coders import bits

from xvcodec.codec.field_contexts import Ints
from xvcodec.codec.field_network import SIZES, FieldNetwork
from xvcodec.codec.fields import encode_fields
from xvcodec.codec.shifts import Prices
from xvcodec.training.fit_field_network import _bits, fit_field_network, survey


def clip(seed: int) -> Ints:
    """Squares that move on their own for three chunks, corrections here and there."""
    random = np.random.default_rng(seed)
    fields = np.zeros((3, 4, 3, 12, 12), np.int32)
    top, left = random.integers(0, 8, 2)
    fields[:, 0, :2, top : top + 4, left : left + 4] = random.integers(-20, 21, (1, 2, 1, 1))
    fields[:, 1:, :2] += random.integers(-1, 2, (3, 3, 2, 12, 12)) * (random.random((3, 3, 2, 12, 12)) < 0.05)
    return fields.astype(np.int32)


def test_what_is_seen_is_what_is_coded() -> None:
    seen = survey([clip(0)])
    assert seen.inputs.shape == (3 * 4 * 3 * 144, seen.inputs.shape[1]) and seen.inputs.dtype == np.uint8
    assert seen.places.size == seen.residuals.size == len(seen.inputs)
    assert 0 < np.count_nonzero(seen.residuals) < seen.residuals.size // 4


def test_fitting_takes_bits_off() -> None:
    lines: list[str] = []
    network = fit_field_network([clip(seed) for seed in range(6)], 500, 0, lines.append)
    assert len(lines) == 1
    spent = [sum(bits(*pair, each.tables) for pair in encode_fields(clip(7), [3] * 3, each, Prices(each.tables)))
             for each in (network, FieldNetwork.default())]
    assert spent[0] < 0.7 * spent[1]
    once, again = (fit_field_network([clip(0)], 5, 3, lines.append).to_tensors() for _ in range(2))
    assert all(np.array_equal(array, again[name]) for name, array in once.items())


def test_between_two_tables_bits_lie_on_a_line() -> None:
    table = torch.arange(float(2 * SIZES)).view(SIZES, 2)
    found = _bits(table, torch.tensor([3.0, 3.25, 70.0]), torch.tensor([0, 1, 0]))
    assert torch.allclose(found[:2], torch.tensor([6.0, 7.5])) and found[2] > table[-1, 0]
