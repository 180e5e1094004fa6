"""Clips of a study: which, with which caption, and how much of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from small_clips import still, video

from xvcodec.errors import InputError, UsageError
from xvcodec.media import open_video
from xvcodec.rd.clips import find


def test_a_folder_without_an_index_gives_videos_and_pictures(tmp_path: Path) -> None:
    video(tmp_path / "b.mkv", 3), still(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("no clip")
    picture, clip = find([tmp_path])
    assert (picture.name, picture.kind, picture.frames) == ("a", "image", 1)
    assert (clip.name, clip.kind, clip.frames, clip.cut) == ("b", "video", 3, None)
    assert clip.seconds == pytest.approx(0.12)
    assert clip.sha256 == hashlib.sha256((tmp_path / "b.mkv").read_bytes()).hexdigest()


def test_an_index_gives_order_and_captions(tmp_path: Path) -> None:
    for name in "abc":
        video(tmp_path / f"{name}.mkv", 2)
    rows = [{"file": "b.mkv", "caption": "bee"}, {"file": "a.mkv", "caption": "ant"}, {"file": "c.mkv"}]
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clips = find([tmp_path])
    assert [(clip.name, clip.caption, clip.other) for clip in clips] == [
        ("b", "bee", "ant"), ("a", "ant", "bee"), ("c", "", "bee")]
    assert find([tmp_path / "a.mkv"])[0].caption == "ant"
    assert not any(clip.caption or clip.other for clip in find([tmp_path], captions=False))


def test_only_the_first_frames(tmp_path: Path) -> None:
    (clip,) = find([video(tmp_path / "a.mkv", 6)], frames=4)
    assert (clip.frames, clip.cut) == (4, pytest.approx(0.16))
    with open_video(tmp_path / "a.mkv") as reader:
        whole = list(reader.frames())
    taken = list(clip.read())
    assert len(taken) == 4
    assert all(np.array_equal(a.y, b.y) for a, b in zip(taken, whole, strict=False))
    assert find([tmp_path / "a.mkv"], frames=99)[0].frames == 6


def test_names_stay_apart(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        video(tmp_path / folder / "a.mkv", 1)
    assert [clip.name for clip in find([tmp_path / "x", tmp_path / "y"])] == ["x/a", "y/a"]
    assert len(find([tmp_path / "x", tmp_path / "x" / "a.mkv"])) == 1


def test_what_is_no_clip(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no clips"):
        find([tmp_path / "empty"])
    with pytest.raises(UsageError, match="no clips"):
        find([])
    with pytest.raises(InputError, match="no file"):
        find([tmp_path / "gone.mp4"])
    (tmp_path / "index.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="Line 1"):
        find([tmp_path])


def test_a_broken_clip_is_refused(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", 12, codec="libx264")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 1500
    data[start : start + 4000] = bytes(4000)
    path.write_bytes(data)
    with pytest.raises(InputError):
        find([path])
