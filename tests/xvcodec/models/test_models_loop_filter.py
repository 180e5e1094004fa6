"""The loop filter of predicted pictures: starts as no change, sees no brightness, knows the corners of a block."""

from __future__ import annotations

import torch
from torch import Tensor

from xvcodec.models.crossmodal import pack, unpack
from xvcodec.models.loop_filter import LoopFilter, apart, together


def loop_filter(trained: bool = True) -> LoopFilter:
    torch.manual_seed(0)
    made = LoopFilter(8, 1).eval().requires_grad_(False)
    if trained:
        torch.nn.init.normal_(made.head.weight, std=0.1)
    return made


def inputs(pictures: int, count: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    packed = torch.rand(2, count, 96 * pictures, 4, 6) - 0.5
    return packed[0], packed[1], torch.tensor([0.05, 0.2][:count]).view(-1, 1, 1, 1)


def test_it_starts_as_no_change() -> None:
    rough, base, step = inputs(1)
    assert torch.equal(loop_filter(False)(rough, base, step), rough)


def test_samples_and_pictures_are_filtered_on_their_own() -> None:
    rough, base, step = inputs(3)
    mended = loop_filter()(rough, base, step)
    assert not torch.equal(mended, rough)
    for sample in range(2):
        for picture in range(3):
            part = (slice(sample, sample + 1), slice(96 * picture, 96 * picture + 96))
            alone = loop_filter()(rough[part], base[part], step[part[0]])
            assert torch.allclose(mended[part], alone, atol=1e-6)


def test_brightness_and_colour_pass_through() -> None:
    rough, base, step = inputs(1)
    luma, chroma = unpack(rough)
    offset = pack(torch.full_like(luma, 0.2), torch.tensor([0.1, -0.1]).view(1, 2, 1, 1).expand_as(chroma))
    change = loop_filter()(rough, base, step) - rough
    assert torch.allclose(loop_filter()(rough + offset, base + offset, step) - rough - offset, change, atol=1e-5)


def test_it_works_in_units_of_the_quantiser_step() -> None:
    rough, base, step = inputs(1)
    made = loop_filter()
    made.stem.weight.data[:, -1] = 0.0  # how fine the quantiser is
    assert torch.allclose(made(rough * 0.5, base * 0.5, step * 0.5), made(rough, base, step) * 0.5, atol=1e-5)


def test_a_position_is_four_by_four_pixels_of_a_block() -> None:
    luma, chroma = torch.arange(32.0 * 48).view(1, 1, 32, 48), torch.zeros(1, 2, 16, 24)
    positions = apart(pack(luma, chroma))
    assert positions.shape == (1, 24, 8, 12)
    assert sorted(positions[0, :16, 3, 5].tolist()) == sorted(luma[0, 0, 12:16, 20:24].flatten().tolist())
    assert torch.equal(together(positions), pack(luma, chroma))


def test_what_moves_by_whole_blocks_is_filtered_alike() -> None:
    """Inside of a picture; by half a block it is not, because edges of blocks are elsewhere."""
    torch.manual_seed(2)
    luma, chroma = torch.rand(2, 1, 64, 80) - 0.5, torch.rand(2, 2, 32, 40) - 0.5

    def change(by: int) -> Tensor:
        planes = luma.roll(by, -1), chroma.roll(by // 2, -1)
        rough, base = (pack(*(plane[at : at + 1] for plane in planes)) for at in (0, 1))
        mended = unpack(loop_filter()(rough, base, torch.full((1, 1, 1, 1), 0.1)) - rough)[0]
        return mended.roll(-by, -1)[..., 24:40, 24:40]

    assert torch.allclose(change(8), change(0), atol=1e-5)
    assert not torch.allclose(change(4), change(0), atol=1e-3)
