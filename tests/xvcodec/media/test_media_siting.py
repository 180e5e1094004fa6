"""Chroma location: written by encoders, read back from their files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av.logging
import numpy as np
import pytest

from xvcodec.media import Frame, VideoInfo, open_video, open_writer

INFO = VideoInfo(32, 16)


def written(path: Path, codec: str, location: int) -> int:
    """The location that is read from a file of one frame written with `location`."""
    info = replace(INFO, chroma_location=location)
    planes = [np.full(shape, 100, np.uint8) for shape in ((16, 32), (8, 16), (8, 16))]
    with open_writer(path, info, codec=codec) as writer:
        writer.write(Frame(0, *planes, 1))
    with open_video(path) as reader:
        return reader.info.chroma_location


@pytest.mark.parametrize(("name", "codec", "locations"), [
    ("a.mp4", "libx264", {0: 1, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6}),  # nothing said means left in H.264
    ("a.mkv", "ffv1", {0: 0, 1: 1, 2: 2, 3: 3}),  # Matroska has no word for the others
])
def test_locations_go_in_and_come_out(name: str, codec: str, locations: dict[int, int], tmp_path: Path) -> None:
    for location, expected in locations.items():
        assert written(tmp_path / f"{location}{name}", codec, location) == expected


def test_the_level_of_the_log_stays(tmp_path: Path) -> None:
    before = av.logging.get_level()
    written(tmp_path / "a.mkv", "ffv1", 2)
    assert av.logging.get_level() == before
