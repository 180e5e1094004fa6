"""Merging of motion fields: deviations that bring nothing go together, those that bring something stay."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.block_search import Passes, bits_of
from xvcodec.models.merging import FIRST_BITS, _expected_from, merged
from xvcodec.models.reference import Reference, levels
from xvcodec.models.search import search_forward, step_of

HEIGHT, WIDTH = 96, 160


def texture(seed: int) -> Tensor:
    """Something with detail of about four pixels, [1, 1, H, W]."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 1, HEIGHT // 4 + 4, WIDTH // 4 + 4, generator=random) - 0.5
    return F.interpolate(coarse, scale_factor=4.0, mode="bicubic")[..., 8 : 8 + HEIGHT, 8 : 8 + WIDTH].clamp(-0.5, 0.5)


def passes(current: Tensor, reference: Tensor, quality: float) -> Passes:
    return Passes(levels(current), Reference.of(reference).match, step_of(quality))


def test_noise_in_a_field_goes_and_what_moves_on_its_own_stays() -> None:
    before = texture(1)
    now = torch.roll(before, (0, 2), (2, 3))
    now[..., 32:64, 64:96] = torch.roll(before, (-6, 0), (2, 3))[..., 32:64, 64:96]
    true = torch.zeros(1, 2, HEIGHT // 8, WIDTH // 8)
    true[:, 0] = -8.0  # quarter pixels
    true[:, :, 4:8, 8:12] = torch.tensor([0.0, 24.0]).view(1, 2, 1, 1)
    noisy = true + torch.randint(-1, 2, true.shape, generator=torch.Generator().manual_seed(2))
    found = merged(passes(now, before, 50.0), noisy)
    deviation = (found - true).abs().amax(1)
    assert float((noisy - true).abs().amax(1).mean()) > 0.8
    assert deviation[:, 4:8, 8:12].amax() <= 1.0  # what moves on its own is not merged into what is around it
    assert _expected_from(found, 1)[1].count_nonzero() < 0.6 * _expected_from(noisy, 1)[1].count_nonzero()


def test_it_never_costs_more_than_before() -> None:
    before, now = texture(3), texture(4)
    search = passes(now, before, 40.0)
    field = torch.randint(-30, 31, (1, 2, HEIGHT // 8, WIDTH // 8), generator=torch.Generator().manual_seed(5)).float()

    def cost(some: Tensor) -> float:
        return float((search.error(some.unsqueeze(0), 0)[0] + bits_of(_expected_from(some, 1)[1], FIRST_BITS)).sum())

    assert cost(merged(search, field)) < cost(field)


def test_the_search_merges_only_when_asked() -> None:
    """Two textures that have nothing in common: what a search finds between them is not worth its vectors."""
    before, now = texture(3), texture(4)
    plain, asked = (search_forward(now, before, step_of(70.0), merge=merge)[:, :2] for merge in (False, True))
    assert torch.equal(asked, merged(passes(now, before, 70.0), plain))
    assert not torch.equal(asked, plain)
