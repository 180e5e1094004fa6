"""SSIM, MS-SSIM and XPSNR against the same measures written down in numpy."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from metric_clips import Pairs, clip, info
from metric_references import ms_ssim, ssim_blocks, ssim_maps, xpsnr

from xvcodec.media import to_rgb
from xvcodec.media.types import VideoInfo
from xvcodec.metrics import Measured, measure, resolve


def run(name: str, about: VideoInfo, pairs: Pairs) -> Measured:
    measured, stopped = measure(resolve([name])[0], about, pairs)
    assert not stopped
    return measured[name]


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("size", [(64, 48), (71, 53), (15, 15)])
def test_ssim(depth: int, size: tuple[int, int]) -> None:
    about = info(*size, depth)
    pairs = clip(about)
    samples = [plane.size for plane in pairs[0][0].planes]
    wanted = [np.average([ssim_blocks(x, y, (1 << depth) - 1) for x, y in zip(a.planes, b.planes, strict=True)],
                         weights=samples) for a, b in pairs]
    found = run("ssim", about, pairs)
    assert found.frames == pytest.approx(wanted, abs=2e-5)  # the filter counts in float32
    assert found.clip == pytest.approx(np.mean(wanted), abs=2e-5)


@pytest.mark.parametrize("size", [(192, 176), (165, 163)])
def test_ms_ssim(size: tuple[int, int]) -> None:
    pytest.importorskip("pytorch_msssim", reason="MS-SSIM needs pytorch-msssim")
    about = info(*size)
    pairs = clip(about, 2, error=25)
    wanted = [np.mean([ms_ssim(to_rgb(a, about)[:, :, channel], to_rgb(b, about)[:, :, channel]) for channel in range(3)])
              for a, b in pairs]
    found = run("msssim", about, pairs)
    assert found.frames == pytest.approx(wanted, abs=2e-5)
    assert found.clip == pytest.approx(np.mean(wanted), abs=2e-5)


def test_the_reference_of_ms_ssim_against_scikit_image() -> None:
    library = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (64, 80)).astype(float)
    b = np.clip(a + rng.normal(0, 30, a.shape), 0, 255)
    _, theirs = library.structural_similarity(a, b, data_range=255, gaussian_weights=True, sigma=1.5, full=True,
                                              use_sample_covariance=False, truncate=3.34)
    assert ssim_maps(a, b)[0] == pytest.approx(theirs[5:-5, 5:-5], abs=1e-9)


@pytest.mark.parametrize(("width", "height", "depth", "rate"), [
    (160, 96, 8, 25), (160, 96, 8, 50), (160, 96, 10, 30), (71, 53, 8, 30),
    (70, 50, 10, 25), (71, 53, 10, 60),  # rows that FFmpeg would pad, and then misread
    (672, 480, 8, 25), (672, 480, 10, 50),  # large enough not to be smoothed
])
def test_xpsnr(width: int, height: int, depth: int, rate: int) -> None:
    about = info(width, height, depth, rate)
    pairs = clip(about, 4)
    frames, whole = xpsnr(pairs, about)
    found = run("xpsnr", about, pairs)
    assert found.frames == pytest.approx(frames, abs=1e-3)
    assert found.clip == pytest.approx(whole, abs=1e-3)


def test_xpsnr_looks_at_colour_too() -> None:
    """A decoder that loses the colour and nothing else is caught by the worst plane."""
    about = info(160, 96)
    pairs = [(a, type(a)(0, a.y, np.full_like(a.u, 128), a.v)) for a, _ in clip(about)]
    assert run("xpsnr", about, pairs).clip < 40.0


@pytest.mark.parametrize("rate", [Fraction(0), Fraction(1, 5000), Fraction(30000, 1001), Fraction(90000)])
def test_xpsnr_takes_any_rate(rate: Fraction) -> None:
    about = replace(info(160, 96), frame_rate=rate)
    pairs = clip(about)
    like = info(160, 96, rate=60 if rate >= 32 else 25)
    assert run("xpsnr", about, pairs) == run("xpsnr", like, pairs)


@pytest.mark.parametrize("name", ["ssim", "msssim"])
def test_equal_pictures_count_one(name: str) -> None:
    about = info(176, 176)
    if not resolve([name])[0]:
        pytest.skip("MS-SSIM needs pytorch-msssim")
    assert run(name, about, [(a, a) for a, _ in clip(about, 2)]).clip == pytest.approx(1.0, abs=1e-6)
