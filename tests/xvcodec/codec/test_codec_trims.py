"""Trims, scene cuts and random access."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from codec_clips import INFO, QUICK, frames_of, largest_difference, options, read_clip, steady, texture, write_clip
from xvc_bitstream import Reader

import xvcodec
from xvcodec.errors import InputError, UsageError


@pytest.mark.parametrize("trim", [{"start": 0.2}, {"duration": 0.2}, {"start": 0.1, "end": 0.3},
                                  {"start": 0.1, "duration": 0.2}])
def test_trims(trim: dict[str, float], clip: Path, coded: Path, tmp_path: Path) -> None:
    """Cutting while encoding and cutting while decoding keep the same frames, and time starts at 0."""
    first = round(trim.get("start", 0.0) * 30)
    end = trim.get("end", trim.get("start", 0.0) + trim["duration"] if "duration" in trim else 1.0)
    expected = min(round(end * 30), 17) - first
    result = xvcodec.encode(clip, tmp_path / "a.xvc", options(**trim))
    assert result.frames == expected
    decoded = frames_of(tmp_path / "a.xvc")
    cut = frames_of(coded, **trim)
    whole = frames_of(coded)
    assert len(decoded) == len(cut) == expected
    assert largest_difference(cut, whole[first : first + expected]) == 0
    assert decoded[0].pts == 0 and abs(cut[0].pts - whole[first].pts + round(trim.get("start", 0.0) * 1000)) <= 1
    count = xvcodec.decode(coded, tmp_path / "c.mkv", replace(QUICK, **trim)).frames
    assert count == expected == len(read_clip(tmp_path / "c.mkv")[1])


@pytest.mark.parametrize("wrong", [{"start": 99.0}, {"start": 0.3, "end": 0.2}, {"duration": 1.0, "end": 2.0},
                                   {"duration": 0.0}])
def test_trims_that_leave_nothing(coded: Path, wrong: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises((UsageError, InputError)):
        xvcodec.decode(coded, tmp_path / "a.mkv", replace(QUICK, **wrong))
    assert not list(tmp_path.iterdir())


def test_a_scene_cut_opens_a_gop(tmp_path: Path) -> None:
    dark = texture(INFO, steady(13))
    for frame in dark[7:]:
        frame.y[:] = 250 - frame.y // 3
    source = write_clip(tmp_path / "a.mkv", INFO, dark)
    xvcodec.encode(source, tmp_path / "a.xvc", options(gop=32))
    assert [gop["frames"] for gop in xvcodec.probe(tmp_path / "a.xvc")["gops"]] == [7, 6]


def test_every_gop_decodes_alone(coded: Path) -> None:
    whole = frames_of(coded)
    starts = [entry["start_pts"] for entry in xvcodec.probe(coded)["gops"]]
    assert len(starts) == 3
    with Reader.open(coded) as reader:
        base = Fraction(*reader.header.time_base)
        for number, start in enumerate(starts):
            part = frames_of(coded, start=float(start * base))
            assert largest_difference(part, [frame for frame in whole if frame.pts >= start]) == 0, number
