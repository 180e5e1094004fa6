"""Codecs of a study: specifications, real files of FFmpeg's encoders, still images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xvcodec.errors import InputError, UsageError
from xvcodec.media import Frame, VideoInfo, open_writer
from xvcodec.media.synth import picture
from xvcodec.rd.clips import find
from xvcodec.rd.codecs import Conditions, parse, parse_all, split


def make_clip(path: Path, frames: int = 8, seed: int = 1) -> Path:
    """A tiny clip of the library's test picture."""
    info = VideoInfo(96, 64)
    with open_writer(path, info) as writer:
        for number in range(frames):
            rgb = picture(number, frames, (96, 64), seed)
            luma = np.ascontiguousarray(rgb.mean(axis=2).astype(np.uint8))
            chroma = np.full((32, 48), 128, np.uint8)
            writer.write(Frame(number * 3600, luma, chroma, chroma, 3600))
    return path


def test_a_specification_is_name_options_and_settings() -> None:
    assert split(r"libx265:preset=slow:x265-params=a=1\:b=2:crf=30,20") == (
        "libx265", {"preset": "slow", "x265-params": "a=1:b=2"}, (20.0, 30.0))
    assert parse(r"libx264:preset=fast:crf=30").name == "libx264:preset=fast"


@pytest.mark.parametrize("spec", ["", "nothing", "libx264:preset", "libx264:nope=1", "libx264:g=5", "libx264:crf=a",
                                  "crossmodal:preset=best", "aac"])
def test_what_there_is_not_is_one_sentence(spec: str) -> None:
    with pytest.raises(UsageError):
        parse(spec)


def test_a_codec_is_given_once() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse_all(["libx264:crf=20", "libx264:crf=30"])


@pytest.mark.parametrize("frames", [None, 5])
def test_a_file_has_the_frames_and_key_frames_asked_for(tmp_path: Path, frames: int | None) -> None:
    (clip,) = find([make_clip(tmp_path / "clip.mp4")], frames)
    codec, conditions = parse("libx264:preset=ultrafast"), Conditions(gop=3)
    codec.encode(clip, 30, tmp_path / "out.mp4", conditions)
    assert len(list(codec.decode(tmp_path / "out.mp4", clip))) == clip.frames == (frames or 8)
    coded = codec.inspect(tmp_path / "out.mp4", conditions)
    assert coded.bytes == (tmp_path / "out.mp4").stat().st_size > coded.overhead > 0
    with pytest.raises(InputError, match="apart"):
        codec.inspect(tmp_path / "out.mp4", Conditions(gop=2))


def test_a_picture_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    with open_writer(tmp_path / "still.png", VideoInfo(96, 64)) as writer:
        writer.write(Frame(0, np.full((64, 96), 90, np.uint8), *[np.full((32, 48), 128, np.uint8)] * 2))
    (clip,) = find([tmp_path / "still.png"])
    assert (clip.kind, clip.frames) == ("image", 1)
    codec = parse("libx264")
    codec.encode(clip, 30, tmp_path / "still.mp4", Conditions())
    assert len(list(codec.decode(tmp_path / "still.mp4", clip))) == 1


def test_captions_come_from_the_index(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_clip(tmp_path / f"{name}.mp4", 2)
    rows = [{"file": "b.mp4", "caption": "bee"}, {"file": "a.mp4", "caption": "ant"}]
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clips = find([tmp_path])
    assert [(clip.name, clip.caption, clip.other) for clip in clips] == [("b", "bee", "ant"), ("a", "ant", "bee")]
    assert find([tmp_path], captions=False)[0].caption == ""


def test_a_clip_that_is_cut_off_stops_the_study(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "clip.mp4").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InputError):
        find([tmp_path / "clip.mp4"])
