"""The context of key frames: seven passes, each from decoded neighbours only, the same in training, encoder and decoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from xvcodec.models.context import DIRECT, PASSES, SPACING, Context, neighbours, pass_of

CPU = torch.device("cpu")


def made(channels: int = 3) -> Context:
    torch.manual_seed(0)
    context = Context(channels).requires_grad_(False)
    torch.nn.init.normal_(context.weight, std=0.2)
    return context


def inputs(height: int, width: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(2, 3, 1, 1) + 0.5, torch.randn(2, 3, height, width) * 4


def test_each_pass_has_neighbours_in_earlier_ones() -> None:
    order = pass_of(16, 24, CPU)
    assert order.unique().tolist() == list(range(PASSES))
    assert [int((order[:SPACING, :SPACING] == number).sum()) for number in range(PASSES)] == [1, 1, 2, 4, 8, 16, 32]
    for number in range(1, PASSES):
        known = (order < number).float()
        there = torch.stack(neighbours(known[None, None], known, number))[:, 0, 0]
        assert torch.allclose(there[:, order == number], torch.ones(())), "at least one neighbour, and none unknown"


@pytest.mark.parametrize("size", [(2, 2), (5, 6), (16, 10), (1, 9)])
def test_deciding_on_the_way_and_afterwards_are_the_same(size: tuple[int, int]) -> None:
    context, (step, latent) = made(), inputs(*size)
    means = context(latent, step, lambda expected: (latent - expected).round())
    symbols, order = latent.round(), pass_of(*size, CPU)
    for number in range(1, PASSES):  # as the encoder does
        now = context(symbols, step, lambda _: symbols)  # noqa: B023
        symbols = torch.where(order == number, (latent - now).round(), symbols)
    assert torch.equal(context(symbols, step, lambda _: symbols), means)
    assert float((symbols + means - latent).abs().max()) <= 0.5 + 1e-5


def test_later_symbols_change_nothing_before_them() -> None:
    context, (step, latent) = made(), inputs(8, 8)
    order = pass_of(8, 8, CPU)
    for number in range(PASSES - 1):
        other = torch.where(order > number, latent.round() + 3.0, latent.round())
        was, now = (context(latent, step, lambda _, symbols=symbols: symbols) for symbols in (latent.round(), other))
        assert torch.equal(was[..., order <= number + 1], now[..., order <= number + 1])


def test_a_flat_picture_is_expected_everywhere() -> None:
    context = Context(1).requires_grad_(False)
    context.weight.fill_(0.25)
    value = torch.full((1, 1, 11, 7), 5.0)
    means = context(value, torch.ones(1, 1, 1, 1), lambda expected: value - expected)
    order = pass_of(11, 7, CPU)
    assert torch.allclose(means[..., order > 0], torch.tensor(5.0)) and not means[..., order == 0].any()


def test_neighbours_beyond_the_edge_are_the_mean_of_the_others() -> None:
    value, known = torch.tensor([[[[0.0, 2.0, 0.0], [4.0, 0.0, 6.0]]]]), torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    near = dict(zip(DIRECT, neighbours(value, known, PASSES - 1), strict=True))
    assert [float(near[move][0, 0, 0, 0]) for move in DIRECT] == [3.0, 4.0, 3.0, 2.0]
