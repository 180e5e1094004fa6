"""Filters at half resolution: they start as no change, see no brightness, know their place in a patch."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from xvcodec.models.crossmodal import FAST, MAIN, Crossmodal, pack, unpack
from xvcodec.models.fine_filters import AnchorFilter, BetweenFilter, KeyFilter
from xvcodec.models.loop_filter import LoopFilter
from xvcodec.models.refine import Refiner


def key_filter(trained: bool = True) -> KeyFilter:
    torch.manual_seed(0)
    made = KeyFilter(8, 2).eval().requires_grad_(False)
    if trained:
        torch.nn.init.normal_(made.head.weight, std=0.1)
    return made


def inputs(count: int = 2) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(count, 96, 4, 8) - 0.5, torch.tensor([0.05, 0.2][:count]).view(-1, 1, 1, 1)


def test_it_starts_as_no_change() -> None:
    rough, step = inputs()
    assert torch.equal(key_filter(False)(rough, step), rough)


def test_samples_are_filtered_on_their_own() -> None:
    rough, step = inputs()
    mended = key_filter()(rough, step)
    assert mended.shape == rough.shape and not torch.equal(mended, rough)
    for sample in (slice(0, 1), slice(1, 2)):
        assert torch.allclose(mended[sample], key_filter()(rough[sample], step[sample]), atol=1e-6)


def test_brightness_and_colour_pass_through() -> None:
    rough, step = inputs()
    luma, chroma = unpack(rough)
    offset = pack(torch.full_like(luma, 0.2), torch.tensor([0.1, -0.1]).view(1, 2, 1, 1).expand_as(chroma))
    change = key_filter()(rough, step) - rough
    assert torch.allclose(key_filter()(rough + offset, step) - rough - offset, change, atol=1e-5)


def test_it_works_in_units_of_the_quantiser_step() -> None:
    rough, step = inputs()
    made = key_filter()
    made.fine.zero_()
    assert torch.allclose(made(rough * 0.5, step * 0.5), made(rough, step) * 0.5, atol=1e-5)


def test_each_area_is_told_its_own_step() -> None:
    rough, _ = inputs(1)
    even, other = torch.full((1, 1, 1, 2), 0.1), torch.tensor([0.1, 0.2]).view(1, 1, 1, 2)
    changed = (key_filter()(rough, other) - key_filter()(rough, even)).abs().amax((0, 1, 2))
    assert not changed[:3].any() and changed[4:].all()


def test_what_moves_by_whole_patches_is_filtered_alike() -> None:
    """Inside of a picture; by half a patch it is not, because edges of patches are elsewhere."""
    torch.manual_seed(2)
    luma, chroma = torch.rand(1, 1, 64, 96) - 0.5, torch.rand(1, 2, 32, 48) - 0.5

    def change(by: int) -> Tensor:
        rough = pack(luma.roll(by, -1), chroma.roll(by // 2, -1))
        mended = unpack(key_filter()(rough, torch.full((1, 1, 1, 1), 0.1)) - rough)[0]
        return mended.roll(-by, -1)[..., 32:48, 32:64]

    assert torch.allclose(change(16), change(0), atol=1e-5)
    assert not torch.allclose(change(8), change(0), atol=1e-3)


def anchor_filter() -> AnchorFilter:
    torch.manual_seed(3)
    made = AnchorFilter(8, 2).eval().requires_grad_(False)
    torch.nn.init.normal_(made.head.weight, std=0.1)
    return made


def test_anchors_change_only_where_something_was_coded() -> None:
    base, step = inputs()
    assert torch.equal(anchor_filter()(base, base, step), base)
    rough = base.clone()
    rough[:, 40, 1, 2] += 0.05  # in one block
    changed = (anchor_filter()(rough, base, step) - rough).abs().amax((0, 1)) > 0
    assert changed[:3, 1:4].all() and int(changed.sum()) == 9


def test_the_filter_of_anchors_sees_what_was_coded_and_no_brightness() -> None:
    base, step = inputs()
    rough = base + torch.randn_like(base) * 0.05
    change = anchor_filter()(rough, base, step) - rough
    offset = pack(torch.full((2, 1, 32, 64), 0.2), torch.full((2, 2, 16, 32), -0.1))
    assert torch.allclose(anchor_filter()(rough + offset, base + offset, step) - rough - offset, change, atol=1e-5)
    other = anchor_filter()(rough, base + 0.01 * torch.randn_like(base), step) - rough
    assert not torch.allclose(other, change, atol=1e-3)


def test_frames_between_are_mended_by_what_both_anchors_predict() -> None:
    torch.manual_seed(4)
    made = BetweenFilter(8, 2).eval().requires_grad_(False)
    base, half = torch.rand(2, 288, 4, 8) - 0.5, torch.rand(2, 288, 4, 8) * 0.1
    rough, step = base + torch.randn_like(base) * 0.05, torch.tensor([0.05, 0.2]).view(-1, 1, 1, 1)
    assert torch.equal(made(rough, base, half, step), rough)
    torch.nn.init.normal_(made.head.weight, std=0.1)
    mended = made(rough, base, half, step)
    assert not torch.allclose(made(rough, base, -half, step), mended, atol=1e-3)
    for at in range(3):  # each picture of a sample on its own
        one = [packed[1:, 96 * at : 96 * at + 96] for packed in (rough, base, half)]
        assert torch.allclose(made(*one, step[1:]), mended[1:, 96 * at : 96 * at + 96], atol=1e-6)


def test_the_config_says_which_filter_a_model_has() -> None:
    sizes = {"width": 12, "key_blocks": (1, 1), "leading": 6, "context": 5, "refiners": (6, 1, 6, 1, 6, 1)}
    for config in (MAIN, FAST):
        own = Crossmodal(replace(config, **sizes))
        older = Crossmodal(replace(config, **sizes, dense=False, fine=False, paired=False))
        assert isinstance(own.key.refiner, KeyFilter) and isinstance(older.key.refiner, Refiner)
        assert isinstance(own.anchor.refiner, AnchorFilter) and isinstance(older.anchor.refiner, LoopFilter)
        assert isinstance(own.between.refiner, BetweenFilter if config.paired else LoopFilter)
        assert isinstance(older.between.refiner, LoopFilter)
    assert MAIN.paired and not FAST.paired
