"""Parts of the hivae codec: searches, qualities beyond crossmodal's, and noise."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from xvc_bitstream.coders.base import bits

from xvcodec.codec.analysis import Analysis, analyse, analyse_twice, smoothed
from xvcodec.codec.hivae import LOW, best_of
from xvcodec.codec.noise import noise
from xvcodec.codec.qualities import levels_of
from xvcodec.codec.quality_maps import encode_maps
from xvcodec.families import family
from xvcodec.models.coder import nominal_step
from xvcodec.models.hivae import COARSEST, HIVAE, Hivae
from xvcodec.models.layers import KNOTS, Knots
from xvcodec.models.weights import load_model


@pytest.mark.parametrize(("gain", "best"), [(0.1, 0), (1.0, 1)])
def test_vectors_are_bought_where_decibels_are_worth_their_bits(gain: float, best: int) -> None:
    """e times the bits bring four decibels; the second search costs 10 % more bits and brings `gain` more decibels."""
    points = np.array([[34.0, 11.0], [30.0, 10.0]])
    assert best_of(np.stack([points, np.add(points, [gain, 0.1])])) == best
    assert best_of(points[None]) == 0


def scene(frames: int) -> torch.Tensor:
    """Soft detail that stands still, luma [T, 1, 64, 64]."""
    noise = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(3)) - 0.5
    return F.interpolate(noise, (64, 64), mode="bicubic").repeat(frames, 1, 1, 1)


def searched(luma: torch.Tensor, references: torch.Tensor) -> list[Analysis]:
    return analyse_twice(luma, 40.0, 40.0, False, HIVAE, (0.0, -4.0), COARSEST, lambda first: references)


def test_frames_between_are_found_in_what_decoders_have() -> None:
    luma = scene(5)
    for found in searched(luma, luma):
        assert not found.fields.any()
    for found in searched(luma, torch.roll(luma, 2, dims=3)):  # decoders have everything two pixels to the right
        assert not found.fields[:, 0].any(), "anchors follow true motion"
        assert (found.fields[0, 1:, 0, 2:6, 2:6] == 8).all() and not found.fields[0, 1:, 1, 2:6, 2:6].any()


def test_where_everything_is_soon_gone_near_anchors_are_tried_too() -> None:
    new = torch.rand(9, 1, 64, 64, generator=torch.Generator().manual_seed(4)) - 0.5
    assert [len(found.fields) for found in searched(new, new)] == [2, 2, 4, 4]
    assert [len(found.fields) for found in searched(scene(9), scene(9))] == [2, 2]
    assert [len(found.fields) for found in searched(scene(1), scene(1))] == [0]


@pytest.mark.parametrize("perceptual", [False, True])
def test_smoother_qualities_say_the_same_in_fewer_bits(perceptual: bool) -> None:
    luma = torch.rand(5, 1, 192, 256, generator=torch.Generator().manual_seed(5)) - 0.5
    luma[..., :128] = F.avg_pool2d(luma, 5, 1, 2)[..., :128]
    rough = analyse(luma, 40.0, 48.0, perceptual)
    noisy = rough.octaves + np.random.default_rng(6).normal(0, 1, rough.octaves.shape).astype(np.float32)
    rough = replace(rough, octaves=noisy)
    smooth = smoothed(rough)
    assert smooth.fields is rough.fields and (smooth.masking is None) is not perceptual
    assert smooth.octaves.shape == rough.octaves.shape and smooth.octaves.dtype == np.float32
    levels = [levels_of(HIVAE, 40.0, each, 5) for each in (rough, smooth)]
    tables = load_model("hivae").tables
    more, fewer = (sum(bits(*each, tables) for each in encode_maps(maps)) for maps in levels)
    assert fewer < 0.8 * more and abs(levels[0].mean() - levels[1].mean()) < 0.3


def test_steps_go_on_growing_beyond_the_last_knot() -> None:
    knots = Knots(nominal_step(torch.arange(KNOTS) * 8.0).log()[:, None])
    q = torch.tensor([20.0, 63.0, 64.0, 75.0, COARSEST])
    with torch.no_grad():
        assert float(knots(q)[-1]) == pytest.approx(float(knots(q)[2]), abs=1e-2)
    knots.endless = True
    assert torch.allclose(knots(q).flatten(), nominal_step(q).log(), atol=1e-4)


def test_qualities_go_beyond_those_of_crossmodal() -> None:
    from xvcodec.codec.session import Session

    codec = Session.open(load_model("hivae"), "constriction", None, "torch", "cpu").codec
    assert isinstance(codec.module, Hivae)
    assert codec.nominal(LOW) == LOW and 63.0 < codec.nominal(63.0) < COARSEST
    found = codec.qualities(63.0, np.full((2, 1, 1), 127, np.int32), [3])
    assert all(float(each.max()) <= COARSEST for each in found.values()) and float(found["anchor"].max()) == COARSEST


def test_a_model_codes_as_the_one_it_comes_from() -> None:
    """But for the loop filters, which were trained on; onedva has the same."""
    ours, fast, other = (load_model(name).module.state_dict() for name in ("hivae", "crossmodal-fast", "onedva"))
    same = {name for name, value in fast.items() if torch.equal(ours[name], value)}
    assert {name.split(".")[1] for name in fast.keys() - same} == {"refiner"}
    assert all(torch.equal(other[name], value) for name, value in ours.items())
    assert {name.split(".")[0] for name in ours.keys() - fast.keys()} == {"mean", "flow", "teller"}
    assert family("hivae").fitted(None).tables.cdf.tolist() == load_model("crossmodal-fast").tables.cdf.tolist()


def test_noise_is_the_same_everywhere() -> None:
    drawn = noise(2**64 - 1, (3, 4, 5))
    assert hashlib.sha256(drawn.numpy().tobytes()).hexdigest()[:16] == GOLDEN
    many = noise(0, (100_000,))
    assert abs(float(many.mean())) < 0.02 and abs(float(many.std()) - 1.0) < 0.01


GOLDEN = "cbb5f33ffaee0265"
