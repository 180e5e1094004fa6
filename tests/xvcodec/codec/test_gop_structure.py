"""How a GOP is cut into chunks, what lives how long in it, and how the qualities that come of it are coded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.analysis import Analysis
from xvcodec.codec.chunks import cut, fewest, shares
from xvcodec.codec.lifetimes import octaves
from xvcodec.codec.masking import Masking, frequency_weights, masking
from xvcodec.codec.qualities import FINER, FIRST, levels_of
from xvcodec.codec.quality_maps import LIMIT, UNIT, Ints, decode_maps, encode_maps
from xvcodec.models.crossmodal import CHUNK, FAST
from xvcodec.models.transform import frequencies


@pytest.mark.parametrize("frames", [*range(1, 14), 32])
def test_chunks_hold_all_frames(frames: int) -> None:
    for chunks in range(fewest(frames), frames):
        used = cut(frames, chunks)
        assert len(used) == chunks and sum(used) + chunks + 1 == frames and all(0 <= count < CHUNK for count in used)
        assert max(used, default=0) - min(used, default=0) <= 1
    for wrong in {fewest(frames) - 1, frames}:
        with pytest.raises(ValueError, match="cannot be cut"):
            cut(frames, wrong)
    assert shares(1) == [0.5, 1.0, 1.0] and shares(3) == [0.25, 0.5, 0.75]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20), st.integers(0, LIMIT), st.integers(0, 2**32))
def test_maps_come_back(count: int, height: int, width: int, reach: int, seed: int) -> None:
    maps = np.random.default_rng(seed).integers(-reach, reach, (count, height, width), dtype=np.int32, endpoint=True)
    passes = iter(encode_maps(maps))

    def read(tables: NDArray[np.uint8]) -> Ints:
        symbols, index = next(passes)
        np.testing.assert_array_equal(tables, index)
        return symbols

    np.testing.assert_array_equal(decode_maps(maps.shape, read), maps)


@pytest.mark.parametrize("wild", [LIMIT + 1, 127, 2**31 - 1, -(2**31)])
def test_damaged_levels_are_refused(wild: int) -> None:
    with pytest.raises(DamagedError, match="out of its range"):
        decode_maps((2, 3, 3), lambda tables: np.full(tables.shape, wild, np.int32))


def scene(frames: int) -> torch.Tensor:
    """The left half stays, the right half is new in every frame: [T, 1, 64, 128]."""
    random = torch.Generator().manual_seed(0)
    luma = torch.rand(frames, 1, 64, 128, generator=random) - 0.5
    luma[:, :, :, :64] = luma[:1, :, :, :64]
    return luma


def test_what_stays_deserves_more_than_what_is_covered() -> None:
    used = cut(9, 2)
    found = octaves(scene(9), torch.zeros(2, 4, 3, 8, 16), used, [shares(count) for count in used])
    assert found.shape == (3, 2, 4)
    assert found[0, :, :2].mean() == pytest.approx(np.log2(9), abs=0.1), "the key frame's left half is in all 9 frames"
    assert found[2, :, :2].mean() == pytest.approx(np.log2(1 + 3 / 2), abs=0.1), "half of each of the three before it"
    assert found[:, :, 2:].max() < 0.5
    alone = octaves(scene(1), torch.zeros(0, 4, 3, 8, 16), [], [])
    assert alone.shape == (1, 2, 4) and not alone.any()


def test_what_moves_is_followed() -> None:
    plain = scene(1)
    luma = torch.cat([torch.roll(plain, 32 * number, dims=3) for number in range(2)])
    fields = torch.zeros(1, 4, 3, 8, 16)
    fields[0, 0, 0] = -32.0 * 4  # found 32 pixels to the left
    found = octaves(luma, fields, [0], [shares(0)])[0, 0]
    assert found[:2].min() > 0.8 and found[3] < 0.3, "what left the picture on the right is not needed again"


def test_levels_follow_lifetimes() -> None:
    lived = np.array([[[0.0, 5.0]], [[0.0, 4.5]], [[3.0, 4.2]]], np.float32)
    analysis = Analysis(np.zeros((2, 4, 3, 4, 8), np.int32), lived)
    levels = levels_of(FAST, 40.0, analysis, 32)
    assert levels.dtype == np.int32 and levels[0, 0, 0] * UNIT == FAST.unreferenced
    assert levels[0, 0, 1] * UNIT == pytest.approx(FAST.unreferenced - 5 * FIRST * FAST.lifetime, abs=UNIT / 2)
    assert levels[1, 0, 1] * UNIT == pytest.approx(FAST.unreferenced - 4.5 * FAST.lifetime, abs=UNIT / 2)
    assert levels[2, 0, 1] == levels[1, 0, 1], "a level that nearly fits is kept"
    assert levels[2, 0, 0] < levels[1, 0, 0]
    hidden = Masking(np.zeros_like(lived), {}, torch.ones(3, 1, 4, 8))
    whole = levels_of(FAST, 40.0, replace(analysis, masking=hidden), 32)[0, 0, 1]
    finer = FAST.unreferenced - FINER - 5 * FAST.lifetime
    assert whole * UNIT == pytest.approx(finer, abs=UNIT / 2), "MS-SSIM minds no pulse"
    assert not levels_of(FAST, 0.0, analysis, 32).any()
    photograph = Analysis(analysis.fields[:0], np.zeros((1, 1, 2), np.float32))
    assert not levels_of(FAST, 40.0, photograph, 1).any(), "a photograph has the quality asked for"


def test_detail_hides_errors() -> None:
    luma = scene(1).repeat(6, 1, 1, 1)
    luma[:, :, :, :64] *= 0.05
    luma[:, :, :32, 104:] *= 0.05  # a flat part of an area with detail
    hidden = masking(luma, [3, 0])
    assert hidden.areas.shape == (3, 2, 4) and float(hidden.areas.mean()) == pytest.approx(0.0, abs=1e-4)
    assert hidden.areas[:, :, 0].max() < -4.0 < 2.0 < hidden.areas[:, :, 2].min()
    sizes = {"key": (1, 8, 16), "anchor": (2, 8, 16), "between": (1, 8, 16)}
    assert {kind: weights.shape for kind, weights in hidden.weights.items()} == sizes
    assert all((weights[:, 1:3, 15] > 1.2 * weights[:, 1:3, 11]).all() for weights in hidden.weights.values())
    assert hidden.frames.shape == (6, 1, 8, 16)
    assert torch.allclose(hidden.frames.log().mean((1, 2, 3)), torch.zeros(6), atol=0.1)
    steps = hidden.steps(1)
    assert steps.shape == (1, 1, 8, 16) and float(steps[..., :7].max()) < float(steps[..., 9:11].min())
    flat = masking(torch.zeros(1, 1, 32, 32), [])
    assert not flat.areas.any() and np.allclose(flat.weights["key"], 1.0)


@pytest.mark.parametrize(("patch", "pictures"), [(8, 1), (8, 3), (16, 1)])
def test_high_frequencies_count_less(patch: int, pictures: int) -> None:
    weights = frequency_weights(patch, pictures)
    place = np.repeat(frequencies(patch).numpy(), pictures, axis=0)
    assert weights.shape == (len(place),) and weights.max() == 1.0 and weights.min() > 0.2
    luma = place[:, 0] == 0
    order = np.argsort(place[luma, 1:].max(1), kind="stable")
    assert weights[luma][order[0]] == 1.0 and weights[luma][order[-1]] < 0.5
