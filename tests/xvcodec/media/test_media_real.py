"""Files as people have them: times, planes and sound survive reading, writing and reading again."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import hashes, read_clip, times, write_clip

from xvcodec.media import Frame, open_video

FRAMES = 12


def clips(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "original").glob("*.m*")) + sorted((data_dir / "val").glob("*.mp4"))


def test_frames_are_what_ffmpeg_decodes(data_dir: Path) -> None:
    for path in clips(data_dir):
        with open_video(path, audio=False) as reader, av.open(str(path)) as container:
            theirs = list(islice(container.decode(video=0), FRAMES))
            for ours, other in zip(islice(reader.frames(), FRAMES), theirs, strict=True):
                assert ours.pts == other.pts, path.name
                luma = other.to_ndarray()[: reader.info.height]
                assert np.array_equal(ours.y, luma), path.name


def test_counts_and_durations(data_dir: Path) -> None:
    for path in (data_dir / "original" / "bubble_vfr.mp4", data_dir / "val" / "bees.mp4"):
        with open_video(path) as reader:
            frames = list(reader.frames())
            assert len(frames) == reader.info.frames and not reader.warnings
            spans = [b.pts - a.pts for a, b in pairwise(frames)]
            assert [frame.duration for frame in frames[:-1]] == spans
            length = (frames[-1].pts + frames[-1].duration) * reader.info.time_base
            assert abs(length * 1_000_000 - (reader.info.duration_us or 0)) < 100


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_copies(data_dir: Path, tmp_path: Path, suffix: str) -> None:
    for name in ("bees_720p25_aac.mp4", "matroska_sar_audio.mkv", "bubble_vfr.mp4"):
        with open_video(data_dir / "original" / name, duration=0.3) as reader:
            items = list(reader)
            info, tracks = reader.info, reader.tracks
        frames = [item for item in items if isinstance(item, Frame)]
        packets = [item for item in items if not isinstance(item, Frame)]
        copy = tmp_path / f"{name}{suffix}"
        write_clip(copy, info, frames, tracks, packets, options={"preset": "ultrafast"})
        back, again, sound = read_clip(copy)
        tolerance = 0 if suffix == ".mp4" else 0.0006  # Matroska counts milliseconds
        assert all(abs(a - b) <= tolerance for a, b in zip(times(info, frames), times(back, again), strict=True))
        assert back.sar == info.sar or 0 in (back.sar, info.sar)
        assert (back.matrix, back.full_range) == (info.matrix, info.full_range)
        for number in range(len(tracks)):
            assert hashes(packets, number) == hashes(sound, number)


def test_trimming_a_real_file(data_dir: Path) -> None:
    path = data_dir / "original" / "bees_720p25_aac.mp4"
    with open_video(path, start=5, duration=0.4) as reader, open_video(path, duration=5.4) as whole:
        items = list(reader)
        frames = [item for item in items if isinstance(item, Frame)]
        sound = [item for item in items if not isinstance(item, Frame)]
        assert len(frames) == 10 and frames[0].pts == 0
        last = list(whole.frames())[-10:]
        assert all(np.array_equal(a.y, b.y) for a, b in zip(frames, last, strict=True))
        assert 0 <= sound[0].pts < 1024 and 0.35 < sound[-1].pts / 48000 < 0.4
