"""Packing, warping, motion search and cost of the crossmodal family."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.cost import kmac_per_pixel
from xvcodec.models.crossmodal import BETWEEN, Crossmodal, Picture, pack, pack_several, unpack, unpack_several
from xvcodec.models.search import search_between, search_forward, step_of
from xvcodec.models.warp import blurred, warp, warp_yuv
from xvcodec.models.weights import load_model

LIMITS = {"crossmodal": (60.0, 7_300_000), "crossmodal-fast": (12.0, 1_600_000)}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def smooth(height: int, width: int, seed: int = 0) -> Tensor:
    """Luma [1, 1, H, W] with detail of all sizes, within +-0.5."""
    random = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 1, height, width)
    for scale in (4, 8, 16):
        noise = torch.rand(1, 1, height // scale + 2, width // scale + 2, generator=random) - 0.5
        total += F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)
    return total / 3


def constant(dx: float, dy: float, height: int, width: int) -> Tensor:
    """A field of one vector, quarter pixels."""
    return torch.tensor([dx, dy]).view(1, 2, 1, 1).expand(1, 2, height // 8, width // 8).contiguous()


@pytest.mark.parametrize("name", LIMITS)
def test_cost_and_size_are_within_the_design(name: str) -> None:
    kmac, parameters = LIMITS[name]
    model = load_model(name)
    cost = kmac_per_pixel(model.module)
    assert 0 < cost.decode <= kmac
    assert cost.encode > cost.decode
    assert model.parameters <= parameters
    assert set(cost.parts) >= {"key.synthesise", "anchor.synthesise", "between.synthesise"}


@pytest.mark.parametrize(("height", "width", "count"), [(32, 32, 1), (32, 96, 2), (64, 32, 3)])
def test_unpack_is_the_inverse_of_pack(height: int, width: int, count: int) -> None:
    luma, chroma = torch.rand(count, 1, height, width), torch.rand(count, 2, height // 2, width // 2)
    packed = pack(luma, chroma)
    assert packed.shape == (count, 96, height // 8, width // 8)
    one, two = unpack(packed)
    assert torch.equal(one, luma) and torch.allclose(two, chroma, atol=1e-6)
    luma = torch.rand(count * BETWEEN, 1, height, width)
    chroma = torch.rand(count * BETWEEN, 2, height // 2, width // 2)
    packed = pack_several(luma, chroma)
    assert packed.shape == (count, 288, height // 8, width // 8)
    one, two = unpack_several(packed)
    assert torch.equal(one, luma) and torch.allclose(two, chroma, atol=1e-6)


def test_a_zero_field_changes_nothing() -> None:
    luma, chroma = torch.rand(2, 1, 48, 64), torch.rand(2, 2, 24, 32)
    one, two = warp_yuv(luma, chroma, torch.zeros(2, 2, 6, 8))
    assert torch.allclose(one, luma, atol=1e-4) and torch.allclose(two, chroma, atol=1e-4)


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-5, 7)])
def test_whole_vectors_say_where_the_content_is_found(dx: int, dy: int) -> None:
    plane = torch.rand(1, 1, 48, 64)
    moved = warp(plane, constant(4.0 * dx, 4.0 * dy, 48, 64))
    inside = moved[:, :, 8:-8, 8:-8]
    assert torch.allclose(inside, plane[:, :, 8 + dy : 40 + dy, 8 + dx : 56 + dx], atol=2e-4)


def test_quarters_count_along_the_axes() -> None:
    along_x = torch.arange(64.0).expand(1, 1, 48, 64).contiguous()
    along_y = torch.arange(48.0).view(1, 1, 48, 1).expand(1, 1, 48, 64).contiguous()
    field = constant(1.0, -3.0, 48, 64)
    inside = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    assert torch.allclose((warp(along_x, field) - along_x)[inside], torch.tensor(0.25), atol=1e-3)
    assert torch.allclose((warp(along_y, field) - along_y)[inside], torch.tensor(-0.75), atol=1e-3)


def test_each_block_follows_its_own_vector() -> None:
    plane = torch.rand(1, 1, 32, 32)
    field = torch.zeros(1, 2, 4, 4)
    field[0, 0, 1, 2] = 8.0  # two pixels to the right
    moved = warp(plane, field)
    assert torch.allclose(moved[:, :, 8:16, 16:24], plane[:, :, 8:16, 18:26], atol=1e-4)
    moved[:, :, 8:16, 16:24] = plane[:, :, 8:16, 16:24]
    assert torch.allclose(moved, plane, atol=1e-4)


def test_chroma_moves_half_as_far() -> None:
    chroma = torch.rand(1, 2, 24, 32)
    _, moved = warp_yuv(torch.zeros(1, 1, 48, 64), chroma, constant(16.0, 8.0, 48, 64))
    assert torch.allclose(moved[:, :, 6:-6, 6:-6], chroma[:, :, 7:-5, 8:-4], atol=1e-4)


def test_beyond_the_edge_the_edge_goes_on() -> None:
    plane = torch.rand(1, 1, 32, 32)
    moved = warp(plane, constant(4000.0, 0.0, 32, 32))
    assert torch.allclose(moved, plane[:, :, :, -1:].expand_as(moved), atol=1e-4)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, -2), (-11, 6), (20, 0)])
def test_search_finds_a_global_shift(dx: int, dy: int) -> None:
    scene = smooth(96 + 64, 128 + 64)
    before, now = scene[:, :, 32:128, 32:160], scene[:, :, 32 + dy : 128 + dy, 32 + dx : 160 + dx]
    field = search_forward(now, before, step_of(40.0))
    assert field.shape == (1, 3, 12, 16) and torch.equal(field, field.round())
    inner = field[0, :2, 2:-2, 4:-4].flatten(1)
    assert inner.median(1).values.tolist() == [4.0 * dx, 4.0 * dy]


def test_search_between_needs_no_correction_on_a_straight_path() -> None:
    scene = smooth(96 + 64, 128 + 64, 2)
    frames = [scene[:, :, 32 + 2 * t : 128 + 2 * t, 32 + 4 * t : 160 + 4 * t] for t in range(3)]
    field = search_between(frames[1], frames[0], frames[2], constant(32.0, 16.0, 96, 128), 0.5, step_of(40.0))
    assert (field[0, :, 2:-2, 2:-2] == 0).float().mean() > 0.9
    assert (field[0, 2, 2:-2, -2:] == -1).all()  # what comes in at the right is not in the frame before


def test_a_coarser_quantiser_makes_a_smoother_field() -> None:
    before = smooth(96, 128, 3)
    now = before + 0.06 * torch.randn(1, 1, 96, 128, generator=torch.Generator().manual_seed(4))

    def roughness(step: float) -> float:
        field = search_forward(now, before, step)[:, :2]
        return float((field[..., 1:] - field[..., :-1]).abs().mean() + (field[..., 1:, :] - field[..., :-1, :]).abs().mean())

    assert roughness(step_of(63.0)) < 0.8 * roughness(step_of(20.0))


def test_what_lost_its_detail_is_predicted_blurred() -> None:
    scene = smooth(96, 128, 5) + (torch.rand(1, 1, 96, 128, generator=torch.Generator().manual_seed(1)) - 0.5) * 0.4
    now = scene.clone()
    now[..., 64:] = blurred(scene, 3)[..., 64:]
    blur = search_forward(now, scene, step_of(20.0))[0, 2]
    assert (blur[1:-1, 1:7] == 0).all() and (blur[1:-1, 9:-1] == -1).float().mean() > 0.8


@pytest.mark.parametrize("name", LIMITS)
def test_blurs_are_those_of_the_prediction(name: str) -> None:
    model = load_model(name).module
    assert isinstance(model, Crossmodal)
    luma, chroma = smooth(64, 64), smooth(32, 32, 1).repeat(1, 2, 1, 1)
    field = torch.zeros(1, 3, 8, 8)
    field[:, 2, :, 2:4], field[:, 2, :, 4:] = 1.0, -1.0
    out = unpack(model.predict_anchor(Picture(luma, chroma), field))[0]
    for part, wanted in ((slice(0, 16), luma), (slice(16, 32), blurred(luma, 1)), (slice(32, 64), blurred(luma, 3))):
        assert torch.allclose(out[..., part], wanted[..., part], atol=1e-5)
