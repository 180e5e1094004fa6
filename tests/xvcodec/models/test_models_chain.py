"""Prediction in a chain and the transform of patches: perfect inverses, orthonormal, still clips in the canvas alone."""

from __future__ import annotations

import pytest
import torch

from xvcodec.models.chain import CANVAS, Bands, Motion, Pictures, chunks_of, differences, pictures_of
from xvcodec.models.patches import CHROMA, from_tokens, means_from_tokens, means_to_tokens, to_tokens


def pictures(frames: int, height: int = 32, width: int = 64) -> Pictures:
    random = torch.Generator().manual_seed(frames)
    return Pictures(torch.rand(frames, 1, height, width, generator=random) - 0.5,
                    torch.rand(frames, 2, height // 2, width // 2, generator=random) - 0.5)


def fields(frames: int, height: int = 32, width: int = 64) -> torch.Tensor:
    random = torch.Generator().manual_seed(3)
    chunks = len(chunks_of(frames))
    vectors = (torch.rand(chunks, 4, 3, height // 8, width // 8, generator=random) * 41 - 20.5).round()
    vectors[:, :, 2] = (vectors[:, :, 2] / 20).round()
    vectors[:, 0, 2] = 0
    return vectors


@pytest.mark.parametrize("frames", [1, 2, 4, 5, 7, 18, 33])
def test_the_inverse_is_perfect(frames: int) -> None:
    source, motion = pictures(frames), Motion(fields(frames), frames)
    made = pictures_of(differences(source, motion), motion)
    assert (made.luma - source.luma).abs().max() < 1e-5
    assert (made.chroma - source.chroma).abs().max() < 1e-5


def test_a_still_clip_is_its_canvas() -> None:
    one = pictures(1)
    still = Pictures(one.luma.expand(9, -1, -1, -1), one.chroma.expand(9, -1, -1, -1))
    bands = differences(still, Motion(torch.zeros(2, 4, 3, 4, 8), 9))
    assert (bands.anchors[0].luma - one.luma).abs().max() < 1e-5
    assert all(each.luma.abs().max() < 1e-5 for each in [*bands.anchors[1:], *bands.between] if each is not None)


def test_anchors_mend_what_was_not_sent() -> None:
    source, motion = pictures(9), Motion(fields(9), 9)

    def sent(number: int, change: Pictures) -> Pictures:
        return Pictures(*((plane * 8).round() / 8 for plane in change.planes()))

    def left(bands: Bands) -> float:
        bands = Bands([sent(0, each) for each in bands.anchors], bands.between)
        return float((pictures_of(bands, motion)[8:].luma - source[8:].luma).abs().max())

    assert left(differences(source, motion, sent)) <= 0.0626 < left(differences(source, motion))


def test_the_canvas_is_finer_where_all_depends_on_it() -> None:
    half = torch.zeros(1, 4, 3, 4, 8)
    half[0, 0, 1, :2] = 3
    assert [Motion(each, 5).canvas for each in (half * 0, half, half + 1)] == [2 * CANVAS, 1.5 * CANVAS, CANVAS]


@pytest.mark.parametrize("patch", [8, 16])
def test_patches_are_orthonormal(patch: int) -> None:
    source = pictures(2, 48, 80)
    tokens = to_tokens(*source.planes(), patch)
    assert float(tokens.square().sum()) == pytest.approx(
        float(source.luma.square().sum() + CHROMA**2 * source.chroma.square().sum()), rel=1e-5)
    luma, chroma = from_tokens(tokens, patch)
    assert (luma - source.luma).abs().max() < 1e-5 and (chroma - source.chroma).abs().max() < 1e-5


def test_means_come_back() -> None:
    tokens = to_tokens(*pictures(1, 48, 80).planes(), 16)
    rest, means = means_to_tokens(tokens)
    assert means.shape == (1, 1, 2, 3, 16)
    assert float(rest.square().sum() + means.square().sum()) == pytest.approx(float(tokens.square().sum()), rel=1e-5)
    assert (means_from_tokens(rest, means) - tokens).abs().max() < 1e-5
