"""The loop filter: starts as no change, treats every picture alike, works in units of the quantiser step."""

from __future__ import annotations

import torch
from torch import Tensor

from xvcodec.models.refine import Refiner

TRUNK = 8


def refiner(pictures: int, trained: bool) -> Refiner:
    torch.manual_seed(0)
    made = Refiner(pictures, True, TRUNK, 8, 1, 2).eval().requires_grad_(False)
    if trained:
        torch.nn.init.normal_(made.head.weight, std=0.1)
    return made


def inputs(pictures: int, count: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    packed = torch.rand(2, count, 96 * pictures, 4, 8) - 0.5
    return packed[0], packed[1], torch.randn(count, TRUNK, 4, 8), torch.tensor([0.05, 0.2][:count]).view(-1, 1, 1, 1)


def test_it_starts_as_no_change() -> None:
    rough, base, trunk, step = inputs(1)
    assert torch.equal(refiner(1, False)(rough, base, step, trunk), rough)


def test_each_sample_is_filtered_on_its_own() -> None:
    rough, base, trunk, step = inputs(3)
    filter_ = refiner(3, True)
    together = filter_(rough, base, step, trunk)
    alone = filter_(rough[1:], base[1:], step[1:], trunk[1:])
    assert together.shape == rough.shape and not torch.equal(together, rough)
    assert torch.allclose(together[1:], alone, atol=1e-6)


def test_pictures_of_a_sample_do_not_mix() -> None:
    rough, base, trunk, step = inputs(3)
    other = rough.clone()
    other[:, 96:192] += 0.1 * torch.rand(2, 96, 4, 8)
    filter_ = refiner(3, True)
    changed = (filter_(other, base, step, trunk) - filter_(rough, base, step, trunk)).abs().amax((0, 2, 3))
    assert changed[:96].max() == 0 and changed[192:].max() == 0 and changed[96:192].max() > 0


def test_brightness_passes_through() -> None:
    rough, base, trunk, step = inputs(1)
    filter_ = refiner(1, True)
    brighter = filter_(rough + 0.25, base + 0.25, step, trunk)
    assert torch.allclose(brighter, filter_(rough, base, step, trunk) + 0.25, atol=1e-5)


def test_key_frames_have_no_prediction_to_look_at() -> None:
    rough, base, trunk, step = inputs(1)
    torch.manual_seed(0)
    made = Refiner(1, False, TRUNK, 8, 1, 2).eval().requires_grad_(False)
    torch.nn.init.normal_(made.head.weight, std=0.1)
    assert torch.equal(made(rough, base, step, trunk), made(rough, torch.zeros_like(base), step, trunk))


def test_predicted_pictures_need_no_decoder() -> None:
    rough, base, _, step = inputs(1)
    made = Refiner(1, True, 0, 8, 1, 0).eval().requires_grad_(False)
    torch.nn.init.normal_(made.head.weight, std=0.1)
    assert made.lift is None and not torch.equal(made(rough, base, step), rough)
