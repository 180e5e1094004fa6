"""Rate control: the search on made-up functions, then real targets on a clip of 64 frames."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from codec_clips import INFO, options, steady, texture, write_clip, y4m
from hypothesis import given, settings
from hypothesis import strategies as st

import xvcodec
from xvcodec.codec.ratecontrol import TRIES, TargetSize, search, start_of
from xvcodec.errors import UsageError
from xvcodec.media.synth import encode_sound, sweep

LONG = replace(INFO, width=96, height=64)


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[[float], float]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, quality: float) -> float:
        assert 0.0 <= quality <= 63.0
        self.calls += 1
        return self.function(quality)


@settings(max_examples=50, deadline=None)
@given(st.floats(-0.2, -0.03), st.floats(0.0, 63.0), st.floats(0.0, 63.0), st.floats(0.0, 0.004))
def test_search_meets_smooth_targets(slope: float, wanted: float, start: float, bend: float) -> None:
    measure = Counted(lambda q: 10.0 + slope * q - bend * q * q)
    target = measure.function(wanted)
    quality, found = search(measure, target, start, -0.075, 0.01)
    assert abs(measure.function(quality) - target) <= 0.05 and found < 0 and measure.calls <= TRIES


@pytest.mark.parametrize(("target", "expected"), [(100.0, 0.0), (-100.0, 63.0)])
def test_search_for_the_impossible_gives_the_end_of_the_range(target: float, expected: float) -> None:
    measure = Counted(lambda q: 5.0 - 0.05 * q)
    assert search(measure, target, 32.0, -0.075, 0.01)[0] == expected
    assert measure.calls <= TRIES


@pytest.mark.parametrize("jump", [0.03, 0.3])
def test_where_sizes_jump_the_smaller_one_is_taken(jump: float) -> None:
    def measure(quality: float) -> float:
        return 5.0 - 0.075 * quality + (jump if quality < 40.0 else 0.0)

    below, above = measure(40.0), 5.0 - 0.075 * 40.0 + jump
    target = above - jump / 3.0  # nearer to what is too much
    quality, _ = search(measure, target, 30.0, -0.075, 0.005, limit=True)
    assert below - 0.05 < measure(quality) <= target
    assert measure(search(measure, target, 30.0, -0.075, 0.005)[0]) > target


def test_searches_begin_coarser_at_lower_rates() -> None:
    assert [start_of(bpp) for bpp in (1e-9, 0.14, 1e9)] == [55.0, 32.0, 0.0]
    assert 32.0 < start_of(0.07) < start_of(0.05) < 55.0


@pytest.mark.parametrize("measure", [lambda q: 3.0, lambda q: float(q < 20), lambda q: -math.floor(q / 16),
                                     lambda q: -0.1 * q + 0.3 * math.sin(3 * q)])
def test_search_ends_on_unkind_functions(measure: Callable[[float], float]) -> None:
    counted = Counted(measure)
    quality, _ = search(counted, 0.5, 32.0, -0.075, 0.01)
    assert 0.0 <= quality <= 63.0 and counted.calls <= TRIES


class FakeTrial:
    """A GOP whose size is exactly exponential in its quality."""

    def __init__(self, frames: int, weight: float) -> None:
        self.frames, self.weight = [None] * frames, weight

    def renew(self, quality: float) -> bool:
        return False

    def code(self, quality: float) -> FakeTrial:
        self.size = round(self.weight * len(self.frames) * math.exp(-0.07 * quality)) + 150
        self.quality = quality
        return self


class FarTrial(FakeTrial):
    """One whose analysis makes it smaller the nearer to its quality it is, and jumps where it is renewed."""

    analysed: float | None = None

    def renew(self, quality: float) -> bool:
        again = self.analysed is not None and abs(quality - self.analysed) > 4.0
        self.analysed = quality if again else self.analysed
        return again

    def code(self, quality: float) -> FakeTrial:
        self.analysed = quality if self.analysed is None else self.analysed
        super().code(quality)
        self.size = round(self.size * math.exp(0.03 * abs(quality - self.analysed)))
        return self


@pytest.mark.parametrize("rate", [100.0, 200.0, 900.0, 1500.0])
def test_a_size_is_met_with_an_analysis_for_about_its_quality(rate: float) -> None:
    trial = FarTrial(32, 2000.0)
    coded = TargetSize(rate * 32, 32, 8, [trial]).code(trial)  # type: ignore[arg-type, list-item]
    assert coded.size + 8 == pytest.approx(rate * 32, rel=0.02)
    assert trial.analysed is not None and abs(coded.quality - trial.analysed) <= 4.0


def spent(known: int, trials: list[FakeTrial], sample: list[FakeTrial], budget: float) -> float:
    """What a controlled run takes, as a share of the budget of `known` frames."""
    control = TargetSize(budget, known, 8, sample)  # type: ignore[arg-type]
    return sum(control.code(trial).size + 8 for trial in trials) / budget  # type: ignore[arg-type]


@pytest.mark.parametrize("lengths", [[32] * 6, [32, 32, 1], [1], [16] * 20, [32] * 3 + [9], [5]])
@pytest.mark.parametrize("rate", [200.0, 900.0])
def test_budgets_are_kept(lengths: list[int], rate: float) -> None:
    trials = [FakeTrial(count, 2000.0 * (1 + n % 3)) for n, count in enumerate(lengths)]
    frames = sum(lengths)
    assert abs(spent(frames, trials, trials[:6], rate * frames) - 1.0) < 0.04


def test_a_pipe_that_goes_on_gets_its_share_for_every_further_frame() -> None:
    """Only 48 frames were known of, 320 come."""
    trials = [FakeTrial(16, 2000.0 * (1 + n % 3)) for n in range(20)]
    assert abs(spent(48, trials, trials[:3], 200.0 * 48) / (320 / 48) - 1.0) < 0.04


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 frames of 96x64 with sound, the second half harder than the first."""
    frames = texture(LONG, steady(64))
    for n, frame in enumerate(frames[32:], 32):
        frame.y[:, :48] = (frame.y[:, :48] // 2) + (n * 37 % 64)
    track, packets = encode_sound(sweep(64 / 30))
    return write_clip(tmp_path_factory.mktemp("long") / "long.mkv", LONG, frames, [track], packets)


def test_bits_a_pixel(long: Path, tmp_path: Path) -> None:
    result = xvcodec.encode(long, tmp_path / "a.xvc", options(bpp=0.9, gop=16))
    assert result.bpp == pytest.approx(0.9, rel=0.05) and result.frames == 64
    facts = xvcodec.probe(tmp_path / "a.xvc")
    assert facts["bpp"] == pytest.approx(result.bpp, rel=1e-4) and facts["video_bytes"] == result.video_bytes


def test_bits_a_second(long: Path, tmp_path: Path) -> None:
    result = xvcodec.encode(long, tmp_path / "a.xvc", options(bitrate=200_000, gop=16))
    assert 8 * result.video_bytes / (64 / 30) == pytest.approx(200_000, rel=0.05)


def test_target_size_counts_the_sound_and_the_captions(long: Path, tmp_path: Path) -> None:
    plain = xvcodec.encode(long, tmp_path / "a.xvc", options(crf=40.0, gop=16))
    wanted = round(plain.total_bytes * 1.15)
    result = xvcodec.encode(long, tmp_path / "b.xvc", options(target_size=wanted, gop=16, prompt="waves " * 300))
    assert result.total_bytes == (tmp_path / "b.xvc").stat().st_size == pytest.approx(wanted, rel=0.05)
    assert result.total_bytes > result.video_bytes


def test_target_psnr(long: Path, tmp_path: Path) -> None:
    # finer than where a search begins; above crf 33 the clip's flicker falls below what is coded at all, in a step of 2 dB
    wanted = xvcodec.encode(long, tmp_path / "a.xvc", options(crf=24.0, gop=16, psnr=True)).psnr
    assert wanted is not None
    result = xvcodec.encode(long, tmp_path / "b.xvc", options(target_psnr=wanted, gop=16, psnr=True))
    assert result.psnr == pytest.approx(wanted, abs=0.3)


def test_a_pipe_meets_its_target(tmp_path: Path) -> None:
    """y4m tells no length, and there are more GOPs than the sample holds."""
    pipe = io.BytesIO(y4m(LONG, texture(LONG, steady(64))))
    pipe.seekable = lambda: False  # type: ignore[method-assign]
    result = xvcodec.encode(pipe, tmp_path / "a.xvc", options(bpp=0.9, gop=8))
    assert result.frames == 64 and result.bpp == pytest.approx(0.9, rel=0.05)


@pytest.mark.parametrize(("target", "crf"), [({"bpp": 1e-6}, 63.0), ({"bpp": 1000.0}, 0.0), ({"bitrate": 1.0}, 63.0),
                                             ({"target_psnr": 99.0}, 0.0), ({"target_psnr": 1.0}, 63.0)])
def test_impossible_targets_get_the_closest(clip: Path, tmp_path: Path, target: dict[str, float], crf: float) -> None:
    result = xvcodec.encode(clip, tmp_path / "a.xvc", options(**target))
    assert result.frames == 17 and result.crf_mean == pytest.approx(crf, abs=0.01)


def test_a_target_below_the_sound_is_refused(long: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="-an"):
        xvcodec.encode(long, tmp_path / "a.xvc", options(target_size=5000))
    assert not list(tmp_path.iterdir())


def test_a_target_size_needs_a_file(tmp_path: Path) -> None:
    pipe = io.BytesIO(y4m(INFO, texture(INFO, steady(2))))
    pipe.seekable = lambda: False  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="pipe"):
        xvcodec.encode(pipe, tmp_path / "a.xvc", options(target_size=5000))
    assert not list(tmp_path.iterdir())


def test_slow_never_pays_more_for_less(clip: Path, tmp_path: Path) -> None:
    """The slow preset moves quality between GOPs, near the one asked for."""
    result = xvcodec.encode(clip, tmp_path / "a.xvc", options(crf=30.0, preset="slow"))
    assert {gop["crf"] for gop in xvcodec.probe(tmp_path / "a.xvc")["gops"]} <= {27.0, 30.0, 33.0}
    assert result.frames == 17
