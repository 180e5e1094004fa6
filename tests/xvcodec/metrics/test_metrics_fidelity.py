"""PSNR, PSNR-YUV and temporal PSNR against arithmetic by hand, FFmpeg's filter, and each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_clips import Pairs, clip, frame, info, shapes

from xvcodec.codec.measure import mean_psnr
from xvcodec.media import to_rgb
from xvcodec.media.types import VideoInfo
from xvcodec.metrics import Measured, measure, resolve
from xvcodec.metrics.base import Measured as BaseMeasured
from xvcodec.metrics.filters import FilterMeter


def run(name: str, about: VideoInfo, pairs: Pairs) -> Measured:
    measured, stopped = measure(resolve([name])[0], about, pairs)
    assert not stopped
    return measured[name]


def test_psnr_of_a_known_error() -> None:
    """Grey that is 4 steps too light in full range is 4 steps too light in R, G and B."""
    about = VideoInfo(32, 24, matrix=1, full_range=True)
    grey, lighter = ([np.full(shape, level) for shape, level in zip(shapes(about), (luma, 128, 128), strict=True)]
                     for luma in (100, 104))
    found = run("psnr", about, [(frame(grey, about), frame(lighter, about))])
    assert found.clip == pytest.approx(10 * np.log10(255**2 / 16), abs=1e-9)


@pytest.mark.parametrize("depth", [8, 10])
def test_psnr_is_what_encode_reports(depth: int) -> None:
    about = info(70, 50, depth)
    pairs = clip(about)
    found = run("psnr", about, pairs)
    assert found.clip == pytest.approx(mean_psnr(*zip(*pairs, strict=True), about), abs=1e-9)
    by_hand = [10 * np.log10(255**2 / np.mean((to_rgb(a, about).astype(float) - to_rgb(b, about)) ** 2)) for a, b in pairs]
    assert found.frames == pytest.approx(by_hand, abs=1e-9) and found.first == 0


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("size", [(64, 48), (71, 53)])
def test_psnr_yuv_against_the_filter_of_ffmpeg(depth: int, size: tuple[int, int]) -> None:
    about = info(*size, depth)
    pairs = clip(about)
    theirs: list[dict[str, str]] = []

    def keep(found: list[dict[str, str]], _: VideoInfo) -> BaseMeasured:
        theirs.extend(found)
        return BaseMeasured((), 0.0)

    meter = FilterMeter("psnr", about, keep)
    for source, decoded in pairs:
        meter.add(source, decoded)
    meter.finish()
    wanted = [sum(weight * float(values[f"lavfi.psnr.psnr.{plane}"]) for weight, plane in zip((6, 1, 1), "yuv", strict=True))
              / 8 for values in theirs]
    assert run("psnr-yuv", about, pairs).frames == pytest.approx(wanted, abs=1e-5)


def test_tpsnr_against_differences_of_pictures() -> None:
    about = info(70, 50)
    pairs = clip(about, 4)
    source, decoded = ([to_rgb(pair[side], about).astype(float) for pair in pairs] for side in (0, 1))
    wanted = [10 * np.log10(255**2 / np.mean(((source[t] - source[t - 1]) - (decoded[t] - decoded[t - 1])) ** 2))
              for t in range(1, 4)]
    found = run("tpsnr", about, pairs)
    assert found.frames == pytest.approx(wanted, abs=1e-9) and found.first == 1
    assert found.clip == pytest.approx(np.mean(wanted), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(0, 1000))
def test_tpsnr_forgives_an_error_that_stays_and_punishes_one_that_flickers(shift: int, seed: int) -> None:
    about = VideoInfo(16, 16, matrix=1, full_range=True)
    still = [np.random.default_rng(seed).integers(60, 120, shape) for shape in shapes(about)]
    grey = [np.full_like(plane, 128) for plane in still[1:]]
    source = frame([still[0], *grey], about)
    lighter, darker = (frame([still[0] + sign * shift, *grey], about) for sign in (1, -1))
    stays, flickers = [(source, lighter)] * 3, [(source, lighter), (source, darker), (source, lighter)]
    assert run("psnr", about, stays).clip == pytest.approx(run("psnr", about, flickers).clip)
    assert run("tpsnr", about, stays).clip == 100.0
    assert run("tpsnr", about, flickers).clip == pytest.approx(10 * np.log10(255**2 / (2 * shift) ** 2), abs=0.05)


@pytest.mark.parametrize("name", ["psnr", "psnr-yuv", "tpsnr", "xpsnr"])
def test_equal_pictures_count_a_hundred(name: str) -> None:
    about = info(64, 48)
    pairs = [(source, source) for source, _ in clip(about)]
    assert run(name, about, pairs).clip == 100.0
