"""The search's copies of blocks against the prediction they stand for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from xvcodec.models.reference import Reference
from xvcodec.models.search import search_between, search_forward, step_of
from xvcodec.models.warp import SHARPNESS, warp


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([8, 16]), st.sampled_from([40, 900, 2047]), st.integers(1, 2))
def test_blocks_are_what_warping_gives(seed: int, block: int, reach: int, count: int) -> None:
    random = torch.Generator().manual_seed(seed)
    picture = torch.rand(count, 1, 64, 96, generator=random) - 0.5
    fields = torch.randint(-reach, reach + 1, (3, count, 2, 64 // block, 96 // block), generator=random).float()
    expected = warp(picture.repeat(3, 1, 1, 1), fields.flatten(0, 1), block, SHARPNESS)
    assert torch.allclose(Reference.of(picture).match(fields, 0), expected, atol=1e-3)


@pytest.mark.parametrize("vector", [(1.0, 2.0), (-3.0, 5.0), (22.0, -9.0)])
def test_vectors_are_found_to_the_quarter_of_a_pixel(vector: tuple[float, float]) -> None:
    random = torch.Generator().manual_seed(3)
    scene = F.interpolate(torch.rand(1, 1, 48, 64, generator=random) - 0.5, scale_factor=4.0, mode="bicubic")
    truth = torch.tensor(vector).view(1, 2, 1, 1).expand(1, 2, 24, 32)
    field = search_forward(warp(scene, truth, 8, SHARPNESS), scene, step_of(30.0))
    assert (field[:, :2, 4:-4, 4:-4] == truth[:, :, 4:-4, 4:-4]).float().mean() > 0.98
    # half of the way back is where a frame between lies, whose correction is not straight
    middle = warp(scene, (truth / 2).floor() + 3.0, 8, SHARPNESS)
    found = search_between(middle, scene, scene, torch.zeros(1, 2, 24, 32), 0.5, step_of(30.0))
    wanted = ((truth / 2).floor() + 3.0)[:, :, 4:-4, 4:-4]
    assert (found[:, :2, 4:-4, 4:-4] == wanted).float().mean() > 0.98


def test_vectors_have_to_save_more_where_the_step_is_coarser() -> None:
    random = torch.Generator().manual_seed(4)
    scene = F.interpolate(torch.rand(1, 1, 16, 24, generator=random) - 0.5, scale_factor=8.0, mode="bicubic") * 0.1
    vectors = F.interpolate(torch.randint(-6, 7, (1, 2, 8, 12), generator=random).float(), scale_factor=2.0)
    moved = warp(scene, vectors, 8, SHARPNESS)
    step = step_of(40.0)
    even = torch.full((1, 1, 16, 24), step)
    assert torch.equal(search_forward(moved, scene, even), search_forward(moved, scene, step))
    coarse = even.clone()
    coarse[..., 12:] *= 8.0
    field = search_forward(moved, scene, coarse)
    fine, rest = ((field[..., part] - search_forward(moved, scene, step)[..., part]).abs().mean() for part in
                  (slice(0, 10), slice(14, 24)))
    assert fine < 0.2 * rest
    roughness = [(field[:, :2, :, part].diff(dim=-1).abs().mean()) for part in (slice(0, 12), slice(12, 24))]
    assert roughness[1] < 0.6 * roughness[0]
