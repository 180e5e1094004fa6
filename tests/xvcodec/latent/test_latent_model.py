"""The networks of the latent family: shapes, kinds, cost, and that training reaches all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from latent_models import TINY, baked, trainable
from torch import Tensor
from xvc_bitstream import TableSet, log_scales

from xvcodec.families import FAMILIES, family, family_of
from xvcodec.models.cost import kmac_per_pixel
from xvcodec.models.crossmodal import CHROMA, pack
from xvcodec.models.latent import CHUNK, FRAMES, SMALL, LatentConfig, LatentModel
from xvcodec.models.latent_stages import LATENTS, apart, full_pack, half_size, joined
from xvcodec.models.weights import load_file, save_model
from xvcodec.training.latent import loss_of, run
from xvcodec.training.rate import LARGEST, REACH, SMALLEST

NO_TEXT = (torch.zeros(2, 0, 96), torch.zeros(2, 0))


def packed(kind: str, count: int = 2, h: int = 4, w: int = 4) -> Tensor:
    """Packed pictures of noise."""
    return torch.rand(count, 96 * FRAMES[kind], h, w) - 0.5


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize(("h", "w"), [(2, 2), (4, 6)])
def test_shapes(kind: str, h: int, w: int) -> None:
    coder, pictures = baked().coder(kind), packed(kind, 2, h, w)
    latent = coder.analyse(pictures, *NO_TEXT)
    assert latent.shape == (2, LATENTS, h, w)
    assert coder.synthesise(latent, torch.zeros(2), *NO_TEXT).shape == pictures.shape


ALONE = replace(TINY, together=False, eye=(4, 8), brush=(6, 12), features=(2, 4))


def test_a_plain_spatial_stage_sees_one_frame_at_a_time() -> None:
    torch.manual_seed(0)
    coder, pictures = LatentModel(ALONE).clip.eval(), packed("clip")
    torch.nn.init.normal_(coder.brush.head.weight)
    other = pictures.clone()
    other[:, 96:192] += 0.1
    assert coder.analyse(pictures, *NO_TEXT).shape == (2, LATENTS, 4, 4)
    rough, features = torch.rand(2, 96 * CHUNK, 4, 4), torch.rand(2, 2 * TINY.wide[1], 4, 4)
    changed = rough.clone()
    changed[:, 96:192] += 0.1
    q = torch.tensor([0.0, 40.0])
    change = (coder.brush(changed, features, q) - coder.brush(rough, features, q)).abs().amax((0, 2, 3)).reshape(CHUNK, 96)
    assert change[1].min() > 0 and not change[[0, 2, 3]].any()
    assert torch.equal(joined(apart(pictures, CHUNK), CHUNK), pictures)


def test_without_a_temporal_stage_only_clips_change() -> None:
    model = LatentModel(replace(TINY, temporal=False))
    assert len(model.clip.into) == len(model.clip.out) == 0
    assert len(model.image.into) == len(model.image.out) == TINY.blocks[0]


@pytest.mark.parametrize("config", [ALONE, replace(TINY, temporal=False)])
def test_parts_that_are_switched_off_are_in_the_weights_file(config: LatentConfig, tmp_path: Path) -> None:
    model = LatentModel(config)
    family_of(model).freeze(model)
    path = save_model(model, TableSet.laplace(log_scales(64, SMALLEST, LARGEST), REACH), None, tmp_path)
    assert load_file(path).module.config == config


def test_networks_start_as_no_change() -> None:
    coder, pictures = LatentModel(TINY).clip, packed("clip")
    latent = coder.analyse(pictures, *NO_TEXT)
    assert torch.allclose(latent, coder.linear(pictures), atol=1e-6)
    q = torch.tensor([0.0, 50.0])
    assert torch.allclose(coder.synthesise(latent, q, *NO_TEXT), coder.linear.inverse(latent), atol=1e-6)


def test_half_size_lays_out_pixels() -> None:
    luma, chroma = torch.rand(8, 1, 32, 48), torch.rand(8, 2, 16, 24)
    planes = half_size(pack(luma, chroma, CHUNK))
    assert planes.shape == (2, 24, 16, 24) and torch.equal(full_pack(planes), pack(luma, chroma, CHUNK))
    each = planes.reshape(8, 6, 16, 24)
    assert torch.equal(each[:, 0], luma[:, 0, ::2, ::2]) and torch.equal(each[:, 3], luma[:, 0, 1::2, 1::2])
    assert torch.allclose(each[:, 4:], chroma * CHROMA)


def test_the_model_is_as_small_as_promised() -> None:
    """At most 4,000,000 bytes of half-precision weights and 60 kMAC a pixel each way."""
    model = LatentModel(SMALL)
    assert sum(parameter.numel() for parameter in model.parameters()) * 2 < 3_950_000
    cost = kmac_per_pixel(model)
    assert 0 < cost.encode <= 60 and 0 < cost.decode <= 60


def test_chunks_do_not_see_each_other() -> None:
    coder, pictures = baked().clip, packed("clip")
    whole = coder.analyse(pictures, *NO_TEXT)
    pictures[1] += torch.rand_like(pictures[1]) * 0.2
    changed = coder.analyse(pictures, *NO_TEXT)
    assert torch.allclose(whole[0], changed[0], atol=1e-5) and not torch.allclose(whole[1], changed[1], atol=1e-2)


def test_frames_of_a_chunk_see_each_other() -> None:
    """The spatial stage sees time: what it paints in one frame depends on the others."""
    coder, rough = baked().clip, packed("clip", 1)
    features, q = torch.rand(1, 2 * TINY.wide[1], 4, 4), torch.zeros(1)
    change = coder.brush(rough, features, q) - rough
    rough[:, :96] += torch.rand(1, 96, 4, 4) * 0.2
    other = coder.brush(rough, features, q) - rough
    assert ((change - other)[:, 96:].abs().amax((0, 2, 3)) > 1e-6).all()


def test_a_caption_matters() -> None:
    coder, pictures = baked().clip, packed("clip", 1)
    nothing = (torch.zeros(1, 0, 96), torch.zeros(1, 0))
    words = (torch.rand(1, 3, 96), torch.ones(1, 3))
    latent = coder.analyse(pictures, *nothing)
    assert not torch.equal(latent, coder.analyse(pictures, *words))
    q = torch.zeros(1)
    assert not torch.equal(coder.synthesise(latent, q, *nothing), coder.synthesise(latent, q, *words))


def test_the_loss_reaches_every_weight() -> None:
    model = trainable()
    q, plain = torch.tensor([0.0, 10.0]), torch.tensor([True, False])
    text = (torch.rand(2, 3, 96), torch.ones(2, 3))
    total = torch.zeros(())
    for kind in FRAMES:
        before = torch.rand(2, LATENTS, 4, 4)
        coded, decoded = run(model, kind, packed(kind), before, q, plain, *text)
        assert decoded.shape == (2, LATENTS, 4, 4) and coded.bits[0] == 0 < coded.bits[1]
        total = total + loss_of(coded, q)
    total.backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    # knots of other qualities are not asked
    assert [name for name in without if not name.endswith(("knots.values", "hyper_index.values"))] == []


def test_unquantised_latents_are_not_quantised() -> None:
    model, pictures = trainable(), packed("clip")
    q = torch.zeros(2)
    _, decoded = run(model, "clip", pictures, None, q, torch.tensor([True, False]), *NO_TEXT)
    latent = model.clip.analyse(pictures, *NO_TEXT)
    assert torch.equal(decoded[0], latent[0]) and not torch.equal(decoded[1], latent[1])


def test_families_are_found_by_name() -> None:
    assert family_of(LatentModel(TINY)) is family("latent") and set(FAMILIES) >= {"crossmodal", "latent"}
    with pytest.raises(ValueError, match="os"):
        family("os")
