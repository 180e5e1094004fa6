"""Names to metrics, several metrics at once, and clips that a metric cannot measure."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from metric_clips import clip, info

import xvcodec.metrics.pictures
from xvcodec.errors import InputError, UsageError
from xvcodec.media.types import Frame
from xvcodec.metrics import NAMES, Unmeasurable, measure, resolve
from xvcodec.metrics.pictures import rgb

BASIC = ("psnr", "psnr-yuv", "ssim", "xpsnr", "tpsnr")


def test_every_name_gives_a_metric_or_a_reason() -> None:
    metrics, missing = resolve(NAMES)
    assert sorted([metric.name for metric in metrics] + [lost.name for lost in missing]) == sorted(NAMES)
    for metric in metrics:
        assert metric.definition.endswith(".") and metric.better in ("higher", "lower") and metric.unit in ("dB", "")
    assert all(lost.reason for lost in missing)


def test_names_keep_their_order_and_count_once() -> None:
    assert [metric.name for metric in resolve(["tpsnr", "psnr", "tpsnr"])[0]] == ["tpsnr", "psnr"]


def test_an_unknown_name_is_answered_with_all_names() -> None:
    with pytest.raises(UsageError, match=f"'pnsr'.*{', '.join(NAMES)}"):
        resolve(["psnr", "pnsr"])


def test_several_at_once_are_the_same_as_one_by_one() -> None:
    about = info(64, 48)
    pairs = clip(about)
    metrics = resolve(BASIC)[0]
    together, stopped = measure(metrics, about, iter(pairs))
    assert not stopped and list(together) == list(BASIC)
    for metric in metrics:
        assert measure([metric], about, pairs)[0][metric.name] == together[metric.name]
        assert all(map(math.isfinite, together[metric.name].frames))


def test_a_picture_is_converted_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    convert = xvcodec.metrics.pictures.to_rgb

    def counted(*given: object) -> object:
        nonlocal count
        count += 1
        return convert(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(xvcodec.metrics.pictures, "to_rgb", counted)
    about = info(64, 48)
    measure(resolve(["psnr", "tpsnr"])[0], about, clip(about, 5))
    assert count == 10


def test_conversions_do_not_pile_up() -> None:
    about = info(64, 48)
    frames = [frame for pair in clip(about, 8) for frame in pair]
    for frame in frames:
        rgb(frame, about)
    kept = xvcodec.metrics.pictures._local.kept
    assert 0 < len(kept) <= xvcodec.metrics.pictures.KEPT
    del frame, frames
    assert not kept


def test_the_same_planes_in_other_colours_are_converted_anew() -> None:
    about = info(64, 48)
    other = type(about)(64, 48, matrix=6)
    frame = clip(about, 1)[0][0]
    assert (rgb(frame, about) != rgb(frame, other)).any() and (rgb(frame, about) == rgb(frame, about)).all()


def test_one_frame_has_no_change_and_the_other_metrics_go_on() -> None:
    about = info(64, 48)
    measured, stopped = measure(resolve(BASIC)[0], about, clip(about, 1))
    assert [lost.name for lost in stopped] == ["tpsnr"] and "at least 2 frames" in stopped[0].reason
    assert list(measured) == ["psnr", "psnr-yuv", "ssim", "xpsnr"]


def test_no_frames_are_refused() -> None:
    measured, stopped = measure(resolve(BASIC)[0], info(64, 48), [])
    assert not measured and len(stopped) == len(BASIC)


@pytest.mark.parametrize(("width", "height", "refused"), [
    (14, 40, ["ssim", "xpsnr"]), (40, 40, ["xpsnr"]), (1, 3000, ["ssim", "xpsnr"]),
    (3001, 801, ["xpsnr"]), (2, 2, ["ssim", "xpsnr"])])
def test_sizes_that_would_bring_a_filter_down(width: int, height: int, refused: list[str]) -> None:
    """FFmpeg's xpsnr divides by zero, and ends the process, below 2025 samples."""
    about = info(width, height)
    for metric in resolve(["ssim", "xpsnr"])[0]:
        if metric.name in refused:
            with pytest.raises(Unmeasurable, match=f"{width}x{height}"):
                metric.start(about)
        else:
            metric.start(about)


@pytest.mark.parametrize(("width", "height", "works"), [(45, 45, True), (16, 127, True), (44, 46, False), (15, 200, False)])
def test_xpsnr_at_the_edge(width: int, height: int, works: bool) -> None:
    about = info(width, height)
    assert ("xpsnr" in measure(resolve(["xpsnr"])[0], about, clip(about, 2))[0]) is works


def test_small_pictures_have_no_ms_ssim() -> None:
    metrics, missing = resolve(["msssim"])
    if missing:
        assert "pip install 'xvc[rd]'" in missing[0].reason
        return
    with pytest.raises(Unmeasurable, match="at least 161x161"):
        metrics[0].start(info(200, 160))
    metrics[0].start(info(161, 161))


@pytest.mark.parametrize("name", BASIC)
def test_pictures_that_do_not_belong_together(name: str) -> None:
    metric = resolve([name])[0][0]
    here, there, deep = info(64, 48), info(64, 46), info(64, 48, 10)
    mine, theirs, deeper = (clip(about, 1)[0][0] for about in (here, there, deep))
    with pytest.raises(InputError, match="64x46, but the clip is 64x48"):
        metric.start(here).add(mine, theirs)
    with pytest.raises(InputError, match="8 bits a sample"):
        metric.start(here).add(mine, deeper)
    with pytest.raises(InputError, match="source"):
        metric.start(here).add(Frame(0, mine.y, mine.u[1:], mine.v), mine)


def test_ten_bits_are_measured_with_ten_bits() -> None:
    """Half an 8-bit step is an error that only the measures of the planes may see."""
    about = info(64, 48, 10)
    pairs = [(a, Frame(0, a.y ^ np.uint16(1), a.u, a.v)) for a, _ in clip(about, 2)]
    measured, _ = measure(resolve(BASIC)[0], about, pairs)
    assert measured["psnr-yuv"].clip == pytest.approx((6 * 10 * np.log10(1023.0**2) + 200) / 8)
    assert measured["psnr"].clip > 50.0  # 8-bit RGB: docs/metrics.md says what the rounding costs


def test_importing_is_light() -> None:
    """Neither torch nor a metric's library loads before it is asked for."""
    code = ("import sys, xvcodec.metrics as m; m.resolve(['psnr', 'xpsnr']);"
            "print([name for name in ('torch', 'pytorch_msssim', 'lpips', 'scipy') if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": ":".join(sys.path)}).stdout.strip() == "[]"
