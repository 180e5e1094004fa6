"""What goes in comes out: any records, pipes both ways, editing, atomic files."""

from __future__ import annotations

import dataclasses
import io
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from container_samples import CAPTIONS, HEADER, TRACKS, gop, packet, sample
from hypothesis import given, settings
from hypothesis import strategies as st
from xvc_bitstream import (
    AudioPacket,
    AudioTrack,
    Caption,
    Chapter,
    Gop,
    Header,
    Reader,
    Stream,
    UsageError,
    Writer,
    atomic_open,
    replace_captions,
)

RATE = st.integers(1, 2**31 - 1)
BYTE = st.integers(0, 255)
NAMES = st.text("abcz019._-", min_size=1, max_size=32)
TEXT = st.text(max_size=30).filter(lambda text: text.isprintable() or "\n" in text)
TIMES = st.integers(0, 2**62 - 1)

HEADERS = st.builds(
    Header, width=st.integers(1, 4096), height=st.integers(1, 16384), bit_depth=st.integers(8, 16),
    sar=st.tuples(st.integers(0, 2**31 - 1), RATE), rotation=st.sampled_from([0, 90, 180, 270]), primaries=BYTE,
    transfer=BYTE, matrix=BYTE, full_range=st.booleans(), chroma_location=BYTE, time_base=st.tuples(RATE, RATE),
    frame_rate=st.tuples(st.integers(0, 2**31 - 1), RATE), model=NAMES, model_hash=st.binary(min_size=32, max_size=32),
    coder=BYTE, text_encoder=st.one_of(st.just(""), NAMES),
)  # fmt: skip
STREAMS = st.lists(
    st.builds(Stream, NAMES, st.lists(st.integers(0, 12), max_size=8).map(tuple), st.binary(max_size=40)),
    max_size=5, unique_by=lambda stream: stream.name,
).map(tuple)  # fmt: skip
TRACK = st.builds(
    AudioTrack, NAMES, st.tuples(RATE, RATE), RATE, TEXT, st.binary(max_size=20), st.just("en"), TEXT,
    st.integers(0, 2**40), st.integers(0, 4096),
)  # fmt: skip
STAMP = st.one_of(st.none(), st.integers(-(2**62) + 1, 2**62 - 1))
PACKET = st.builds(AudioPacket, st.just(0), STAMP, STAMP, st.integers(0, 2**40), st.binary(max_size=30), st.booleans())


@st.composite
def gop_runs(draw: st.DrawFn) -> list[Gop]:
    """GOPs in time order, with constant and with wild frame steps."""
    clock, gops = draw(st.integers(-(2**61), 2**61)), []
    for _ in range(draw(st.integers(0, 4))):
        steps = draw(st.lists(st.one_of(st.just(1001), st.integers(1, 2**50)), min_size=1, max_size=12))
        pts = []
        for step in steps:
            clock += step
            pts.append(clock)
        duration, quality, seed = (draw(st.integers(0, top)) for top in (2**40, 63 * 256, 2**64 - 1))
        gops.append(Gop(tuple(pts), duration, quality, seed, draw(STREAMS)))
    return gops


@settings(max_examples=50, deadline=None)
@given(HEADERS, gop_runs(), st.data())
def test_any_file_round_trips(header: Header, gops: list[Gop], data: st.DataObject) -> None:
    cues = data.draw(
        st.lists(st.builds(lambda a, b, t: Caption(min(a, b), max(a, b), t), TIMES, TIMES, TEXT), max_size=4)
    )
    cues.sort(key=lambda cue: cue.start_us)
    chapters = data.draw(st.lists(st.builds(lambda a, t: Chapter(a, a, t), TIMES, TEXT), max_size=3))
    tags = data.draw(st.dictionaries(TEXT, TEXT, max_size=4))
    track, packets = data.draw(TRACK), data.draw(st.lists(PACKET, max_size=6))
    out = io.BytesIO()
    with Writer(out, header) as writer:
        writer.captions(cues)
        writer.chapters(chapters)
        writer.tags(tags)
        writer.tracks([track])
        entries = [writer.gop(item) for item in gops]
        writer.audio(packets)
    assert writer.bytes_written == len(out.getvalue())
    with Reader.open(out) as reader:
        assert (reader.header, list(reader.gops()), reader.entries) == (header, gops, entries)
        assert (list(reader.captions), list(reader.chapters), reader.tags) == (cues, chapters, tags)
        assert (list(reader.tracks), list(reader.audio())) == ([track], packets)
        assert not reader.verify()
        assert not reader.truncated


class Pipe:
    """A sink that can do nothing but take a few bytes at a time."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> int:
        self.data += bytes(data[:7])
        return min(7, len(data))


def test_the_writer_needs_only_write() -> None:
    pipe = Pipe()
    with Writer(pipe, HEADER) as writer:
        writer.gop(gop(0))
    assert pipe.data == sample(1, metadata=False)


def test_a_pipe_can_be_read() -> None:
    data = sample()
    ends = os.pipe()
    source = os.fdopen(ends[0], "rb")
    feeder = threading.Thread(target=lambda: os.fdopen(ends[1], "wb").write(data))
    feeder.start()
    with Reader.open(source) as reader:
        feeder.join()
        assert list(reader.gops()) == [gop(0), gop(1), gop(2)]
        assert not source.closed
    source.close()


def test_seeking_finds_the_gop_that_holds_a_time() -> None:
    with Reader.open(io.BytesIO(sample())) as reader:
        answers = [(-(10**9), 0), (-3003, 0), (50_000, 0), (96_996, 0), (96_997, 1), (196_997, 2), (10**12, 2)]
        assert [reader.find(pts) for pts, _ in answers] == [number for _, number in answers]
        with pytest.raises(IndexError, match="GOP 3 does not exist"):
            reader.gop(3)
    with Reader.open(io.BytesIO(sample(0))) as reader, pytest.raises(UsageError):
        reader.find(0)


def test_sizes_are_counted_with_and_without_sound() -> None:
    with Reader.open(io.BytesIO(sample())) as reader:
        assert reader.audio_bytes == sum(ref.size for ref in reader.refs if ref.type == b"AUDI")
        assert reader.size == len(sample())


def test_captions_are_replaced_without_touching_the_rest() -> None:
    data = sample()
    with Reader.open(io.BytesIO(data)) as reader:
        out = io.BytesIO()
        replace_captions(reader, out, [Caption(1, 2, "other", "fr")])
        back = io.BytesIO()
        with Reader.open(out) as changed:
            assert changed.captions == (Caption(1, 2, "other", "fr"),)
            assert list(changed.gops()) == list(reader.gops())
            assert list(changed.audio()) == list(reader.audio())
            replace_captions(changed, back, CAPTIONS)
    assert back.getvalue() == data


@pytest.mark.parametrize("newer", [sample()[:9] + b"\7" + sample()[10:], sample(close=False)])
def test_captions_of_newer_or_cut_files_are_left_alone(newer: bytes) -> None:
    with Reader.open(io.BytesIO(newer)) as reader, pytest.raises(UsageError):
        replace_captions(reader, io.BytesIO(), [])


def test_the_order_of_calls_is_checked() -> None:
    writer = Writer(io.BytesIO(), HEADER)
    with pytest.raises(UsageError, match="not declared"):
        writer.audio(packet(0))
    writer.tracks(TRACKS)
    with pytest.raises(UsageError, match="already"):
        writer.tracks(TRACKS)
    with pytest.raises(UsageError, match="time order"):
        writer.captions([Caption(2, 3, ""), Caption(1, 3, "")])
    writer.gop(gop(1))
    with pytest.raises(UsageError, match="overlap"):
        writer.gop(gop(1))
    with pytest.raises(UsageError, match="before the first GOP"):
        writer.tags({})
    with pytest.raises(UsageError, match="free chunk type"):
        writer.extra(b"GOPF", b"")
    writer.close()
    writer.close()
    with pytest.raises(UsageError, match="closed"):
        writer.gop(gop(2))


BAD_HEADERS = [
    {"width": 0}, {"height": 16385}, {"width": 16384, "height": 16384}, {"bit_depth": 7}, {"rotation": 45},
    {"matrix": 256}, {"sar": (1, 0)}, {"time_base": (0, 1)}, {"frame_rate": (1, 2**31)}, {"model": ""},
    {"model": "A b"}, {"model_hash": b""}, {"coder": -1}, {"text_encoder": "x" * 65}, {"width": 1.5},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD_HEADERS, ids=str)
def test_impossible_headers_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        dataclasses.replace(HEADER, **change)  # type: ignore[arg-type]


def test_impossible_records_are_refused() -> None:
    for make in (
        lambda: Gop((), 1, 0, 0, ()),
        lambda: Gop((1, 1), 1, 0, 0, ()),
        lambda: Gop((0,), 1, 63 * 256 + 1, 0, ()),
        lambda: Gop((0,), -1, 0, 0, ()),
        lambda: Gop((0,), 1, 0, 2**64, ()),
        lambda: Gop((2**62,), 1, 0, 0, ()),
        lambda: Gop(tuple(range(1025)), 1, 0, 0, ()),
        lambda: Gop((0,), 1, 0, 0, (Stream("a", (), b""),) * 2),
        lambda: Stream("A", (), b""),
        lambda: Stream("a", (1,) * 9, b""),
        lambda: Stream("a", (2**15, 2**15), b""),
        lambda: Stream("a", (-1,), b""),
        lambda: Caption(2, 1, ""),
        lambda: Caption(0, 1, "\ud800"),
        lambda: Caption(0, 1, "x" * 16385),
        lambda: AudioPacket(64, 0, 0, 0, b""),
        lambda: AudioTrack("", (1, 1), 1, ""),
    ):
        with pytest.raises(UsageError):
            make()


def write_half(path: Path, error: BaseException) -> None:
    with atomic_open(path) as file:
        file.write(b"half")
        raise error


def test_atomic_files_are_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.xvc"
    with pytest.raises(KeyboardInterrupt):
        write_half(path, KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"old")
    path.chmod(0o640)
    with pytest.raises(ZeroDivisionError):
        write_half(path, ZeroDivisionError())
    assert path.read_bytes() == b"old"
    link = tmp_path / "link.xvc"
    link.symlink_to(path)
    with atomic_open(link) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(FileNotFoundError), atomic_open(tmp_path / "no" / "a.xvc"):
        pass
    with atomic_open(os.devnull) as file:
        file.write(b"nothing")
    assert not stat.S_ISREG(os.stat(os.devnull).st_mode)


def test_importing_the_package_loads_no_torch() -> None:
    script = "import sys, xvc_bitstream; sys.exit('torch' in sys.modules or 'torchac' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == 0
