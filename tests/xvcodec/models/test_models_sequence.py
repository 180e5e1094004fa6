"""The differentiable pass that training uses: the codec's own numbers, with gradients everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from xvc_bitstream.coders.base import bits

from xvcodec.codec.coefficients import Contexts, Floats, Ints, Sizes
from xvcodec.codec.crossmodal import PRICE
from xvcodec.codec.crossmodal_contexts import CrossmodalContexts
from xvcodec.codec.qualities import quality_between
from xvcodec.codec.quantise import SKIP, Quantiser
from xvcodec.models.crossmodal import FAST, LEAST, Crossmodal
from xvcodec.training.contexts import BatchContexts, batch_contexts, sizes_of
from xvcodec.training.crossmodal import frames_of, loss_of, windows
from xvcodec.training.rate import geometric_bits, laplace_bits, laplace_tables, lowered, quantised, scale_of
from xvcodec.training.sequence import USUAL, Coded, run, settle

TINY = replace(FAST, name="tiny", width=12, key_blocks=(1, 1), leading=6, context=5, refiners=(6, 1, 6, 1, 6, 1),
               features=2)
CONTEXTS = batch_contexts(CrossmodalContexts.default().latents, torch.device("cpu"))


def coded(chunks: int, model: Crossmodal) -> Coded:
    torch.manual_seed(1)
    frames = 1 + 4 * chunks
    return run(model, CONTEXTS, torch.rand(2, frames, 1, 64, 96) - 0.5, torch.rand(2, frames, 2, 32, 48) - 0.5,
               torch.zeros(2, chunks, 4, 3, 8, 12), torch.tensor([20.0, 50.0]), torch.rand(2, 3, 96), torch.ones(2, 3))


@pytest.fixture
def model() -> Crossmodal:
    torch.manual_seed(0)
    return Crossmodal(TINY)


def test_each_kind_of_picture_has_its_own_quality(model: Crossmodal) -> None:
    result = coded(2, model)
    assert result.error.shape == result.bits.shape == result.quality.shape == (2, 5)
    of = {kind: 50.0 + offset for kind, offset in USUAL.items()} | {"between": quality_between(TINY, 50.0)}
    expected = [of[kind] for kind in ("key", "anchor", "between", "anchor", "between")]
    assert result.quality[1].tolist() == pytest.approx(expected)
    assert coded(0, model).quality[:, 0].tolist() == [20.0, 50.0]  # a photograph is coded at its nominal quality


def test_the_loss_reaches_every_network(model: Crossmodal) -> None:
    loss_of(coded(2, model), 64 * 96, 2.0).backward()
    parts = {"encoder": model.key.encoder.head.weight, "decoder": model.key.decoder.head.weight,
             "context": model.key.context.weight}
    for name in ("key", "anchor", "between"):
        coder = getattr(model, name)
        parts |= {f"{name} filter": coder.refiner.head.weight, f"{name} steps": coder.log_step.values}
    for name, weight in parts.items():
        assert weight.grad is not None and weight.grad.abs().max() > 0, name


def test_windows_go_on_where_the_last_one_ended(model: Crossmodal) -> None:
    """Coding in two windows is coding in one, but for the gradients."""
    torch.manual_seed(1)
    luma, chroma = torch.rand(1, 9, 1, 64, 96) - 0.5, torch.rand(1, 9, 2, 32, 48) - 0.5
    fields, rest = torch.zeros(1, 2, 4, 3, 8, 12), (torch.tensor([40.0]), torch.rand(1, 3, 96), torch.ones(1, 3))
    whole = run(model, CONTEXTS, luma, chroma, fields, *rest)
    first = run(model, CONTEXTS, luma[:, :5], chroma[:, :5], fields[:, :1], *rest)
    second = run(model, CONTEXTS, luma[:, 5:], chroma[:, 5:], fields[:, 1:], *rest, first.last.detach())
    assert torch.allclose(torch.cat((first.error, second.error), 1), whole.error)
    assert torch.allclose(torch.cat((first.bits, second.bits), 1), whole.bits)
    assert torch.equal(second.quality[0], first.quality[0, 1:]), "a window in the middle is no photograph"
    assert frames_of(first).tolist() == [1.0, 1.0, 3.0] and frames_of(second).tolist() == [1.0, 3.0]
    assert windows(1) == [1] and windows(4) == [1, 2, 1] and windows(7) == [1, 2, 2, 2]


def walked(latent: Floats, quality: float, other: Sizes | None) -> tuple[Ints, Ints, float]:
    """Symbols and tables [h * w, L] of an anchor of 5 x 7 patches as the codec codes it, and their bits."""
    tables, spent = laplace_tables(), 0.0
    quantiser, chosen = Quantiser(tables, PRICE, SKIP), np.zeros(latent.shape, np.int32)

    contexts = Contexts(CrossmodalContexts.default().latents["anchor"], LEAST)

    def take(places: np.ndarray, channels: slice, table: np.ndarray) -> Ints:
        nonlocal spent
        here = np.ix_(places, contexts.order[channels])
        chosen[here] = table
        found = quantiser.whole(latent[here], table)
        spent += float(bits(found[table >= SKIP], table[table >= SKIP], tables))
        return found

    return contexts.walk(np.full((5, 7), int(quality), np.int32), other, take), chosen, spent


@pytest.mark.parametrize("beside", [False, True])
def test_contexts_are_those_of_the_codec(beside: bool) -> None:
    """Given the codec's symbols the tables are its tables; on the way there it is about the same symbols and bits."""
    random = np.random.default_rng(3)
    latent = (random.laplace(size=(35, 96)) * np.geomspace(6.0, 0.02, 96)).astype(np.float32)
    other = random.integers(0, 3, latent.shape, np.uint8) if beside else None
    symbols, tables, spent = walked(latent, 33.7, other)

    def batch(rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(rows.T.astype(np.float32)).reshape(1, -1, 5, 7)

    contexts, q = BatchContexts(CrossmodalContexts.default().latents["anchor"]), torch.tensor([33.7])
    near = None if other is None else batch(other)
    assert torch.equal(contexts(batch(symbols), q, near)[1].float(), batch(tables))
    found, _, estimated = settle(batch(latent), lambda _: 0.0, lambda known: contexts(known, q, near))
    assert float((found == batch(symbols)).float().mean()) > 0.98
    assert float(estimated) == pytest.approx(spent, rel=0.1)


def test_sizes_have_a_top_and_no_history() -> None:
    symbols = torch.tensor([3.0, -400.0], requires_grad=True)
    assert sizes_of(symbols).tolist() == [3.0, 15.0] and not sizes_of(symbols).requires_grad


def test_rounding_while_training_is_that_of_the_encoder() -> None:
    values = torch.tensor([0.3, 0.55, -0.59, 0.7, 1.4, -2.6], requires_grad=True)
    usual, skipped = quantised(values, torch.tensor(30.0)), quantised(values, torch.tensor(SKIP - 1.0))
    assert usual.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, -3.0]
    assert not skipped.any()
    (usual.sum() + skipped.sum()).backward()
    assert values.grad is not None and values.grad.tolist() == [2.0] * 6  # straight through


def test_the_rarer_a_symbol_the_lower_it_is_rounded() -> None:
    values, table = torch.tensor([0.55, 0.65, 0.9, -2.52, 2.7], requires_grad=True), torch.tensor(30.0)
    often, rare = (lowered(values, torch.tensor(size), table, PRICE) for size in (8.0, 0.01))
    assert often.tolist() == [1.0, 1.0, 1.0, -3.0, 3.0] and rare.tolist() == [0.0, 0.0, 1.0, -2.0, 2.0]
    skipped = lowered(values, torch.tensor(0.01), torch.tensor(SKIP - 1.0), PRICE)
    (often.sum() + skipped.sum()).backward()
    assert not skipped.any() and values.grad is not None and values.grad.tolist() == [1.0] * 5


@pytest.mark.parametrize("index", [5.0, 25.0, 50.0])
def test_estimated_bits_are_those_of_a_density(index: float) -> None:
    scale = scale_of(torch.tensor(index))
    chance = torch.exp2(-laplace_bits(torch.arange(-300.0, 301.0).double(), scale.double()))
    assert float(chance.sum()) == pytest.approx(1.0, abs=2e-2)


@pytest.mark.parametrize("expected", [0.01, 1.0, 12.0])
def test_geometric_bits_are_those_of_a_distribution(expected: float) -> None:
    symbols, mean = torch.arange(-600.0, 601.0).double(), torch.tensor(expected).double()
    chance = torch.exp2(-geometric_bits(symbols, symbols, mean))
    assert float(chance.sum()) == pytest.approx(1.0) and float((chance * symbols.abs()).sum()) == pytest.approx(expected)
    value = torch.tensor([0.0, 0.2, -0.2, 3.4], requires_grad=True)
    geometric_bits(value.round(), value, torch.tensor(expected)).sum().backward()
    assert value.grad is not None and value.grad[0] == 0 and value.grad[1] == -value.grad[2] > 0 and value.grad[3] > 0
