"""Bad input and bad output: one sentence, the right class, and nothing left behind."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_clips import INFO, make_frames, read_clip, sized, steady, two_sounds, write_clip
from xvc_bitstream.records import AudioTrack

from xvcodec.errors import InputError, OutputError, UsageError, XvcError
from xvcodec.media import open_video, open_writer

FAST = {"preset": "ultrafast"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    write_clip(path, INFO, make_frames(INFO, steady(20)), *two_sounds(0.6), options={**FAST, "g": "5"})
    return path.read_bytes()


def refuse(source: object, **more: object) -> str:
    with pytest.raises(InputError) as caught:
        open_video(source, **more)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and "Errno" not in message
    return message


def test_no_such_file_and_folder_and_empty(tmp_path: Path) -> None:
    assert "no file" in refuse(tmp_path / "nothing.mp4")
    assert "folder" in refuse(tmp_path)
    (tmp_path / "empty.mp4").touch()
    assert "empty" in refuse(tmp_path / "empty.mp4")
    assert "image sequence" in refuse(tmp_path / "frame%05d.png")


@pytest.mark.parametrize("name", ["text.txt", "text.mp4", "list.m3u8", "cues.srt", "picture.png", "list.ffconcat"])
def test_not_a_video(tmp_path: Path, name: str) -> None:
    text = {"list.m3u8": "#EXTM3U\n#EXTINF:1,\nclip.ts\n", "cues.srt": "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
            "list.ffconcat": "ffconcat version 1.0\nfile 'other.mkv'\n"}  # fmt: skip
    (tmp_path / name).write_text(text.get(name, "this is no video, only words\n" * 50))
    refuse(tmp_path / name)


def test_audio_only(tmp_path: Path, clip: bytes) -> None:
    import av

    with av.open(io.BytesIO(clip)) as source, av.open(str(tmp_path / "a.mka"), "w", format="matroska") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    assert "only audio" in refuse(tmp_path / "a.mka")


def test_cut_off_files_play_what_is_there(tmp_path: Path, clip: bytes) -> None:
    path = tmp_path / "cut.mkv"
    path.write_bytes(clip[: len(clip) * 2 // 3])
    assert 0 < len(read_clip(path)[1]) < 20
    path.write_bytes(clip[:400])
    refuse(path)
    refuse(io.BytesIO(clip[:100]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**9), st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 255)), max_size=30))
def test_damage_is_an_error_or_fewer_frames(clip: bytes, length: int, bytes_at: list[tuple[int, int]]) -> None:
    data = bytearray(clip)
    for position, value in bytes_at:
        data[position % len(data)] = value
    try:
        _, frames, _ = read_clip(io.BytesIO(bytes(data[: max(1, length % (2 * len(data)))])))
    except XvcError:
        return
    assert frames and all(a.pts < b.pts for a, b in pairwise(frames))


def test_absurd_sizes(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "huge.png").write_bytes(png)
    refuse(tmp_path / "huge.png")
    assert "20000x8" in refuse(io.BytesIO(b"YUV4MPEG2 W20000 H8 F25:1 Ip A1:1 C420\nFRAME\n" + bytes(240000)))


def test_time_ranges(tmp_path: Path, clip: bytes) -> None:
    path = tmp_path / "clip.mkv"
    path.write_bytes(clip)
    assert "-ss" in refuse(path, start=60)
    for wrong in ({"start": -1}, {"duration": 0}, {"start": 2, "end": 1}, {"start": float("nan")}):
        with pytest.raises(UsageError):
            open_video(path, **wrong)


@pytest.mark.parametrize(("name", "more", "says"), [
    ("a.mp4", {"codec": "libx999"}, "libx999"), ("a.webm", {"codec": "libx264"}, "webm"),
    ("a.mp4", {"options": {"crff": "3"}}, "did you mean 'crf'"), ("a.mp4", {"options": {"preset": "warp"}}, "warp"),
    ("a.mp4", {"codec": "aac"}, "not a video codec"), ("a.xyz", {}, "a.xyz"), ("a.y4m", {"codec": "ffv1"}, "codec"),
    ("none/a.mp4", {}, "no folder"), ("none/a.y4m", {}, "no folder"), ("none/f%03d.png", {}, "no folder"),
    ("a.webm", {"tracks": [AudioTrack("aac", (1, 48000), 48000, "mono")]}, "aac"),
    ("a.mov", {"tracks": [AudioTrack("opus", (1, 48000), 48000, "stereo")]}, "opus"),
    ("a.mkv", {"tracks": [AudioTrack("nonsense", (1, 48000), 48000, "mono")]}, "nonsense"),
])  # fmt: skip
def test_outputs_that_cannot_be(tmp_path: Path, name: str, more: dict[str, object], says: str) -> None:
    with pytest.raises(OutputError) as caught:
        open_writer(tmp_path / name, INFO, **more)  # type: ignore[arg-type]
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.y4m", "f%03d.png"])
def test_failure_leaves_nothing_and_an_older_file_alone(tmp_path: Path, name: str) -> None:
    older = tmp_path / (name if "%" not in name else name % 1)
    older.write_bytes(b"older")
    with pytest.raises(RuntimeError), open_writer(tmp_path / name, INFO) as writer:
        for frame in make_frames(INFO, steady(3)):
            writer.write(frame)
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == [older.name] and older.read_bytes() == b"older"


def test_writers_refuse_no_frames_and_time_that_goes_back(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="one frame"), open_writer(tmp_path / "a.mp4", INFO):
        pass
    with pytest.raises(OutputError, match="increase"), open_writer(tmp_path / "a.mp4", INFO) as writer:
        for frame in make_frames(INFO, (3000, 3000)):
            writer.write(frame)
    with pytest.raises(OutputError, match="number them"), open_writer(tmp_path / "a.png", INFO) as writer:
        for frame in make_frames(INFO, steady(2)):
            writer.write(frame)
    assert not list(tmp_path.iterdir())


def test_a_closed_pipe_is_one_sentence() -> None:
    class Closed(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            raise BrokenPipeError

    with pytest.raises(OutputError, match="pipe"), open_writer(Closed(), INFO) as writer:  # type: ignore[arg-type]
        writer.write(make_frames(INFO, (0,))[0])


def test_warnings_say_what_is_lost(tmp_path: Path) -> None:
    tracks, packets = two_sounds(0.1)
    frames = make_frames(sized(37, 23), steady(2))
    assert "audio" in write_clip(tmp_path / "a.y4m", sized(37, 23), frames, tracks, packets)[0]
    assert "4:4:4" in write_clip(tmp_path / "a.mp4", sized(37, 23), frames)[0]
