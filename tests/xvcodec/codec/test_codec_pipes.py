"""Sound that is copied, and pipes in and out."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from codec_clips import INFO, QUICK, frames_of, largest_difference, options, read_clip, steady, texture, write_clip, y4m

import xvcodec
from xvcodec.media.synth import encode_sound, sweep


def test_sound_is_copied_packet_by_packet(tmp_path: Path) -> None:
    first, packets = encode_sound(sweep(0.6), 0, "eng")
    second, others = encode_sound(sweep(0.6)[:, ::-1].copy(), 1, "deu")
    source = write_clip(tmp_path / "a.mkv", INFO, texture(INFO, steady(12)), [first, second], packets + others)
    _, _, before = read_clip(source)
    result = xvcodec.encode(source, tmp_path / "a.xvc", options(gop=4))
    assert result.video_bytes < result.total_bytes
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "b.mkv", QUICK)
    _, frames, after = read_clip(tmp_path / "b.mkv")
    assert len(frames) == 12
    for track in (0, 1):
        one, two = ([(hashlib.sha256(p.data).hexdigest(), p.pts, p.duration) for p in packets if p.track == track]
                    for packets in (before, after))
        assert one == two and len(one) > 20
    facts = xvcodec.probe(tmp_path / "a.xvc")["audio_tracks"]
    assert [(track["codec"], track["language"]) for track in facts] == [("aac", "eng"), ("aac", "deu")]

    xvcodec.encode(source, tmp_path / "c.xvc", options(audio=False))
    assert xvcodec.probe(tmp_path / "c.xvc")["audio_tracks"] == []
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "d.mkv", replace(QUICK, audio=False))
    assert read_clip(tmp_path / "d.mkv")[2] == []


class Pipe(io.RawIOBase):
    """Bytes that come and go but cannot be sought, as a shell's pipe."""

    def __init__(self, data: bytes = b"") -> None:
        self.source, self.taken = io.BytesIO(data), bytearray()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        return self.source.read(size)

    def write(self, data: Any) -> int:
        part = bytes(data)[:1000]  # a pipe may take less than it is given
        self.taken += part
        return len(part)


class Sink:
    """A pipe's writing end as PyAV and y4m see it: everything at once."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def write(self, data: bytes) -> int:
        self.taken += data
        return len(data)

    def flush(self) -> None:
        pass


def test_pipes_in_and_out(clip: Path, tmp_path: Path) -> None:
    info, source, _ = read_clip(clip)
    stream, picture = Pipe(), Sink()
    result = xvcodec.encode(Pipe(y4m(info, source)), stream, options())  # type: ignore[arg-type]
    assert result.frames == 17 and result.total_bytes == len(stream.taken)
    xvcodec.encode(io.BytesIO(y4m(info, source)), tmp_path / "a.xvc", options())
    assert (tmp_path / "a.xvc").read_bytes() == bytes(stream.taken)
    done = xvcodec.decode(Pipe(bytes(stream.taken)), picture, QUICK)  # type: ignore[arg-type]
    assert done.frames == 17
    _, decoded, _ = read_clip(io.BytesIO(bytes(picture.taken)))
    assert largest_difference(decoded, frames_of(tmp_path / "a.xvc")) == 0
