"""Files in, files out: sizes, lengths, times, tags, colours; what the default model and the presets make."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from codec_clips import (
    FAST,
    INFO,
    QUICK,
    STEP,
    frames_of,
    largest_difference,
    options,
    psnr,
    read_clip,
    same_planes,
    session_on,
    steady,
    texture,
    write_clip,
    y4m,
)

import xvcodec
from xvcodec import EncodeOptions
from xvcodec.codec.planes import to_frames
from xvcodec.codec.trial import Trial
from xvcodec.errors import UsageError
from xvcodec.media import Frame
from xvcodec.models.weights import LoadedModel


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (17, 31), (33, 1), (97, 61)])
@pytest.mark.parametrize("depth", [8, 10])
def test_any_size(width: int, height: int, depth: int) -> None:
    info = replace(INFO, width=width, height=height, bit_depth=depth)
    source, sink = texture(info, steady(3)), io.BytesIO()
    result = xvcodec.encode(io.BytesIO(y4m(info, source)), sink, options(crf=20.0, psnr=True))
    assert (result.frames, result.width, result.height) == (3, width, height)
    decoded = frames_of(sink)
    assert [f.y.shape for f in decoded] == [(height, width)] * 3
    assert [f.u.shape for f in decoded] == [info.chroma_size] * 3
    assert decoded[0].y.dtype == (np.uint16 if depth == 10 else np.uint8)
    error = np.mean([np.abs(a.y.astype(float) - b.y).mean() for a, b in zip(source, decoded, strict=True)])
    assert error < (40 if depth == 10 else 10)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 33])
def test_any_length(count: int, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", INFO, texture(INFO, steady(count)))
    result = xvcodec.encode(source, tmp_path / "a.xvc", options(verify=True))
    facts = xvcodec.probe(tmp_path / "a.xvc")
    assert result.frames == facts["frames"] == count
    assert [gop["frames"] for gop in facts["gops"]] == [8] * (count // 8) + [count % 8] * (count % 8 > 0)
    assert facts["duration"] == pytest.approx(count / 30, abs=0.002)
    decoded = frames_of(tmp_path / "a.xvc")
    _, before, _ = read_clip(source)
    assert [f.pts for f in decoded] == [f.pts for f in before]
    assert [f.duration for f in decoded] == [f.duration for f in before]
    assert psnr(before, decoded, INFO) > 20


def test_reported_psnr_and_sizes_are_true(clip: Path, tmp_path: Path) -> None:
    result = xvcodec.encode(clip, tmp_path / "a.xvc", options(crf=25.0, psnr=True, verify=True))
    _, source, _ = read_clip(clip)
    assert result.psnr == pytest.approx(psnr(source, frames_of(tmp_path / "a.xvc"), INFO), abs=0.02)
    assert result.total_bytes == (tmp_path / "a.xvc").stat().st_size == result.video_bytes
    assert result.bpp == pytest.approx(8 * result.video_bytes / (64 * 48 * 17))
    better = xvcodec.encode(clip, tmp_path / "b.xvc", options(crf=10.0, psnr=True))
    assert better.psnr > result.psnr and better.total_bytes > result.total_bytes


def test_irregular_times_are_kept_exactly(tmp_path: Path) -> None:
    times = (0, 90, 270, 9000, 9090, 90000, 90180, 180000, 180090, 990000)  # whole milliseconds, as Matroska has
    source = write_clip(tmp_path / "a.mkv", INFO, texture(INFO, times))
    xvcodec.encode(source, tmp_path / "a.xvc", options(gop=4))
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "b.mkv", replace(QUICK, codec="ffv1"))
    info, before, _ = read_clip(source)
    after, got, _ = read_clip(tmp_path / "b.mkv")
    seconds = [pts * Fraction(1, 90000) for pts in times]
    assert [f.pts * info.time_base for f in before] == [f.pts * after.time_base for f in got] == seconds
    with xvcodec.open(tmp_path / "a.xvc", QUICK) as video:
        base = Fraction(*video.probe()["time_base"])
        assert [f.pts * base for f in video.frames()] == seconds


TAGGED = [
    {"primaries": 9, "transfer": 16, "matrix": 9, "bit_depth": 10, "chroma_location": 1},
    {"primaries": 5, "transfer": 6, "matrix": 5, "full_range": True, "rotation": 90, "chroma_location": 2},
    {"sar": Fraction(4, 3), "rotation": 270, "frame_rate": Fraction(30000, 1001)},
    {"sar": Fraction(1), "rotation": 180, "full_range": True, "matrix": 6},
]


@pytest.mark.parametrize("tags", TAGGED, ids=str)
def test_tags_go_in_and_come_out(tags: dict[str, Any], tmp_path: Path) -> None:
    info = replace(INFO, **tags)
    lossless = {"codec": "libx264", "options": {"qp": "0"}}  # in Matroska, FFV1 loses the aspect
    source = write_clip(tmp_path / "a.mkv", info, texture(info, steady(3)), **lossless)
    xvcodec.encode(source, tmp_path / "a.xvc", options(crf=20.0))
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "b.mkv", replace(QUICK, codec="libx264", codec_options={"qp": "0"}))
    before, frames, _ = read_clip(source)
    after, decoded, _ = read_clip(tmp_path / "b.mkv")
    same = ("width", "height", "bit_depth", "rotation", "primaries", "transfer", "matrix", "full_range")
    facts = xvcodec.probe(tmp_path / "a.xvc")
    for name in same:
        assert getattr(before, name) == getattr(after, name) == getattr(info, name), name
        assert facts[name] == getattr(info, name)
    sited = info.chroma_location or 1  # H.264 without a word about it means left
    assert before.chroma_location == after.chroma_location == sited
    assert (before.sar or 1) == (after.sar or 1) == (info.sar or 1) == (Fraction(*facts["sar"]) or 1)
    assert all(same_planes(a, b) for a, b in zip(decoded, frames_of(tmp_path / "a.xvc"), strict=True))
    assert psnr(frames, decoded, info) > 20


COLOURS = [(16, 128, 128), (235, 128, 128), (81, 90, 240), (145, 54, 34), (41, 240, 110), (180, 168, 16)]


@pytest.mark.parametrize(("matrix", "full"), [(1, False), (5, False), (6, True), (9, False), (1, True)])
def test_flat_colours_are_those_of_the_model_alone(matrix: int, full: bool, fast: LoadedModel, tmp_path: Path) -> None:
    """No matrix and no range is ever applied on the way: file and model agree within 2 levels in YUV."""
    info = replace(INFO, width=32, height=32, matrix=matrix, primaries=matrix, full_range=full)
    session = session_on(fast)
    for number, (y, u, v) in enumerate(COLOURS[:: 1 if matrix == 1 else 3]):
        planes = [np.full((side, side), value, np.uint8) for side, value in ((32, y), (16, u), (16, v))]
        flat = [Frame(pts, *planes, 3000) for pts in steady(2)]
        source = write_clip(tmp_path / f"{number}.mkv", info, flat)
        xvcodec.encode(source, tmp_path / "a.xvc", options(crf=16.0))
        xvcodec.decode(tmp_path / "a.xvc", tmp_path / "b.mkv", replace(QUICK, codec="ffv1"))
        after, decoded, _ = read_clip(tmp_path / "b.mkv")
        trial = Trial(session, flat, info, session.guidance(""))
        alone = to_frames(trial.code(16.0).planes, steady(2), [3000] * 2, 32, 32, 8)
        assert largest_difference(alone, decoded) <= 2
        assert (after.matrix, after.full_range) == (matrix, full)


def test_the_same_clip_gives_the_same_bytes(clip: Path, coded: Path, tmp_path: Path) -> None:
    xvcodec.encode(clip, tmp_path / "a.xvc", options(prompt="waves that drift"))
    assert (tmp_path / "a.xvc").read_bytes() == coded.read_bytes()


def test_the_default_model_codes_a_photograph(tmp_path: Path) -> None:
    source = texture(INFO, steady(1))
    wanted = EncodeOptions(crf=12.0, backend="torch", device="cpu")
    xvcodec.encode(io.BytesIO(y4m(INFO, source)), tmp_path / "a.xvc", wanted)
    assert xvcodec.probe(tmp_path / "a.xvc")["model"] == "crossmodal"
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "a.png", QUICK)
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert psnr(source, frames_of(tmp_path / "a.xvc"), INFO) > 24


def test_the_fast_preset_is_the_fast_model() -> None:
    assert EncodeOptions(preset="fast").model_name == "crossmodal-fast"
    assert EncodeOptions(preset="fast", model="a.safetensors").model_name == "a.safetensors"
    assert FAST["model"] == "crossmodal-fast"


@pytest.mark.parametrize("model", ["crossmodal-fast", "hivae"])
def test_light_that_flickers_is_coded(tmp_path: Path, model: str) -> None:
    """Every other frame is much brighter, where nothing else ever changes."""
    (still,) = texture(INFO, steady(1))
    bright = np.clip(still.y.astype(int) + 40, 0, 255).astype(np.uint8)
    source = [replace(still, pts=at * STEP, y=bright if at % 2 else still.y) for at in range(9)]
    xvcodec.encode(io.BytesIO(y4m(INFO, source)), tmp_path / "a.xvc", options(model=model, crf=45.0, gop=16))
    for one, two in zip(source, frames_of(tmp_path / "a.xvc"), strict=True):
        assert abs(float(one.y.mean()) - float(two.y.mean())) < 12.0  # not coded, it would be 27 to 40


def test_tuned_for_the_eye_detail_is_coded_coarser(tmp_path: Path) -> None:
    info = replace(INFO, width=128, height=64)
    source = texture(info, steady(5))
    for number, frame in enumerate(source):  # flat on the left, but for a little noise; loud on the right
        noise = np.random.default_rng(number).normal(size=frame.y.shape)
        frame.y[:, :64] = np.clip(np.round(128 + 2 * noise[:, :64]), 0, 255)
        frame.y[:, 64:] = np.clip(np.round(frame.y[:, 64:] + 25 * noise[:, 64:]), 0, 255)
    errors = {}
    for tune in ("psnr", "perceptual"):
        xvcodec.encode(io.BytesIO(y4m(info, source)), tmp_path / "a.xvc", options(tune=tune, crf=40.0))
        decoded = frames_of(tmp_path / "a.xvc")
        errors[tune] = [sum(float(np.square(one.y[:, part].astype(float) - two.y[:, part]).mean())
                            for one, two in zip(source, decoded, strict=True)) for part in (slice(64), slice(64, 128))]
    assert errors["perceptual"][0] < errors["psnr"][0] and errors["perceptual"][1] > errors["psnr"][1]
    with pytest.raises(UsageError, match="has no --tune perceptual"):
        xvcodec.encode(io.BytesIO(y4m(info, source)), tmp_path / "b.xvc",
                       options(model="crossmodal-latent", tune="perceptual"))
    assert not (tmp_path / "b.xvc").exists()
