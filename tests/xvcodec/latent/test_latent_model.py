"""The networks of the latent family: shapes, kinds, cost, and that training reaches all of them."""

from __future__ import annotations

import pytest
import torch
from latent_models import TINY, baked, trainable

from xvcodec.families import FAMILIES, family, family_of
from xvcodec.models.cost import kmac_per_pixel
from xvcodec.models.latent import CHUNK, FRAMES, LATENTS, SMALL, LatentModel, Mix
from xvcodec.training.latent import loss_of, run

NO_TEXT = (torch.zeros(2, 0, 96), torch.zeros(2, 0))


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize(("h", "w"), [(2, 2), (4, 6)])
def test_shapes(kind: str, h: int, w: int) -> None:
    model = baked()
    packed = torch.rand(2 * FRAMES[kind], 96, h, w) - 0.5
    latent = model.analyse(kind, packed, *NO_TEXT)
    assert latent.shape == (2, LATENTS, h, w)
    assert model.synthesise(kind, latent, torch.zeros(2), *NO_TEXT).shape == packed.shape


def test_the_model_is_as_small_as_promised() -> None:
    """At most 4,000,000 bytes of half-precision weights and 60 kMAC a pixel each way."""
    model = LatentModel(SMALL)
    assert sum(parameter.numel() for parameter in model.parameters()) * 2 < 3_950_000
    cost = kmac_per_pixel(model)
    assert 0 < cost.encode <= 60 and 0 < cost.decode <= 60


def test_chunks_do_not_see_each_other() -> None:
    model, other = baked(), torch.rand(CHUNK, 96, 4, 4) - 0.5
    packed = torch.rand(2 * CHUNK, 96, 4, 4) - 0.5
    whole = model.analyse("clip", packed, *NO_TEXT)
    assert torch.allclose(whole[:1], model.analyse("clip", packed[:CHUNK], *(x[:1] for x in NO_TEXT)), atol=1e-5)
    changed = model.analyse("clip", torch.cat((packed[:CHUNK], other)), *NO_TEXT)
    assert torch.allclose(whole[0], changed[0], atol=1e-5) and not torch.allclose(whole[1], changed[1], atol=1e-2)


def test_frames_of_a_chunk_see_each_other() -> None:
    """The spatial stage sees time: a frame's features depend on its neighbours."""
    model, packed = baked(), torch.rand(CHUNK, 96, 4, 4) - 0.5
    features = model.encoder(packed, CHUNK)
    packed[1] += 0.1
    changed = (model.encoder(packed, CHUNK) - features).abs().amax((1, 2, 3))
    assert (changed[:3] > 1e-4).all() and changed[3] < 1e-6  # one block, one step of time


def test_a_mix_starts_as_no_change() -> None:
    x = torch.rand(8, 3, 2, 2)
    assert torch.equal(Mix(3)(x, 4), x) and torch.equal(Mix(3)(x, 1), x)


def test_a_caption_matters() -> None:
    model, packed = baked(), torch.rand(CHUNK, 96, 4, 4) - 0.5
    nothing = (torch.zeros(1, 0, 96), torch.zeros(1, 0))
    words = (torch.rand(1, 3, 96), torch.ones(1, 3))
    latent = model.analyse("clip", packed, *nothing)
    assert not torch.equal(latent, model.analyse("clip", packed, *words))
    q = torch.zeros(1)
    assert not torch.equal(model.synthesise("clip", latent, q, *nothing), model.synthesise("clip", latent, q, *words))


def test_the_loss_reaches_every_weight() -> None:
    model = trainable()
    q, plain = torch.tensor([0.0, 10.0]), torch.tensor([True, False])
    text = (torch.rand(2, 3, 96), torch.ones(2, 3))
    total = torch.zeros(())
    for kind, frames in FRAMES.items():
        before = torch.rand(2, LATENTS, 4, 4)
        coded, decoded = run(model, kind, torch.rand(2 * frames, 96, 4, 4) - 0.5, before, q, plain, *text)
        assert decoded.shape == (2, LATENTS, 4, 4) and coded.bits[0] == 0 < coded.bits[1]
        total = total + loss_of(coded, q)
    total.backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    # a mix of a picture with itself is nothing, and knots of other qualities are not asked
    assert [name for name in without if not name.endswith(("knots.values", "hyper_index.values"))] == []


def test_unquantised_latents_are_not_quantised() -> None:
    model, packed = trainable(), torch.rand(2 * CHUNK, 96, 4, 4) - 0.5
    q = torch.zeros(2)
    _, decoded = run(model, "clip", packed, None, q, torch.tensor([True, False]), *NO_TEXT)
    latent = model.analyse("clip", packed, *NO_TEXT)
    assert torch.equal(decoded[0], latent[0]) and not torch.equal(decoded[1], latent[1])


def test_families_are_found_by_name() -> None:
    assert family_of(LatentModel(TINY)) is family("latent") and set(FAMILIES) >= {"crossmodal", "latent"}
    with pytest.raises(ValueError, match="os"):
        family("os")
