"""The differentiable pass that training uses: the codec's own numbers, with gradients everywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from xvcodec.codec.crossmodal import SKIP, qualities
from xvcodec.models.crossmodal import FAST, Crossmodal
from xvcodec.training.crossmodal import frames_of, loss_of, windows
from xvcodec.training.rate import laplace_bits, quantised, scale_of
from xvcodec.training.sequence import Coded, run

TINY = replace(FAST, name="tiny", width=12, key_blocks=(1, 1), anchor_blocks=(1, 1), between_blocks=(1, 1),
               leading=(6, 5, 4), hyper=4, context=5, memory=4, refiners=(6, 1, 6, 1, 6, 1), features=2)


def coded(chunks: int, model: Crossmodal) -> Coded:
    torch.manual_seed(1)
    frames = 1 + 4 * chunks
    return run(model, torch.rand(2, frames, 1, 64, 96) - 0.5, torch.rand(2, frames, 2, 32, 48) - 0.5,
               torch.zeros(2, chunks, 4, 3, 8, 12), torch.tensor([20.0, 50.0]), torch.rand(2, 3, 96), torch.ones(2, 3))


@pytest.fixture
def model() -> Crossmodal:
    torch.manual_seed(0)
    return Crossmodal(TINY)


def test_each_kind_of_picture_has_its_own_quality(model: Crossmodal) -> None:
    result = coded(2, model)
    assert result.error.shape == result.bits.shape == result.quality.shape == (2, 5)
    of = qualities(TINY, 50.0, 32)
    expected = [of[kind] for kind in ("key", "anchor", "between", "anchor", "between")]
    assert result.quality[1].tolist() == pytest.approx(expected)
    assert coded(0, model).quality[:, 0].tolist() == [20.0, 50.0]  # a photograph is coded at its nominal quality


def test_the_loss_reaches_every_network(model: Crossmodal) -> None:
    loss_of(coded(2, model), 64 * 96, 2.0).backward()
    for name in ("key", "anchor", "between"):
        coder = getattr(model, name)
        for part in (coder.encoder.head, coder.decoder.head, coder.decoder.refiner.head, coder.prior.mean):
            assert part.weight.grad is not None and part.weight.grad.abs().max() > 0, name


def test_windows_go_on_where_the_last_one_ended(model: Crossmodal) -> None:
    """Coding in two windows is coding in one, but for the gradients."""
    torch.manual_seed(1)
    luma, chroma = torch.rand(1, 9, 1, 64, 96) - 0.5, torch.rand(1, 9, 2, 32, 48) - 0.5
    fields, rest = torch.zeros(1, 2, 4, 3, 8, 12), (torch.tensor([40.0]), torch.rand(1, 3, 96), torch.ones(1, 3))
    whole = run(model, luma, chroma, fields, *rest, hard=True)
    first = run(model, luma[:, :5], chroma[:, :5], fields[:, :1], *rest, hard=True)
    second = run(model, luma[:, 5:], chroma[:, 5:], fields[:, 1:], *rest, first.last.detach(), hard=True)
    assert torch.allclose(torch.cat((first.error, second.error), 1), whole.error)
    assert torch.allclose(torch.cat((first.bits, second.bits), 1), whole.bits)
    assert torch.equal(second.quality[0], first.quality[0, 1:]), "a window in the middle is no photograph"
    assert frames_of(first).tolist() == [1.0, 1.0, 3.0] and frames_of(second).tolist() == [1.0, 3.0]
    assert windows(1) == [1] and windows(4) == [1, 2, 1] and windows(7) == [1, 2, 2, 2]


def test_rounding_while_training_is_that_of_the_encoder() -> None:
    values = torch.tensor([0.3, 0.55, -0.59, 0.7, 1.4, -2.6], requires_grad=True)
    usual, skipped = quantised(values, torch.tensor(30.0)), quantised(values, torch.tensor(SKIP - 1.0))
    assert usual.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, -3.0]
    assert not skipped.any()
    (usual.sum() + skipped.sum()).backward()
    assert values.grad is not None and values.grad.tolist() == [2.0] * 6  # straight through


@pytest.mark.parametrize("index", [5.0, 25.0, 50.0])
def test_estimated_bits_are_those_of_a_density(index: float) -> None:
    scale = scale_of(torch.tensor(index))
    chance = torch.exp2(-laplace_bits(torch.arange(-300.0, 301.0).double(), scale.double()))
    assert float(chance.sum()) == pytest.approx(1.0, abs=2e-2)
