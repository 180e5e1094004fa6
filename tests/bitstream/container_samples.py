"""Small files that the container tests take apart."""

from __future__ import annotations

import io
import zlib

from xvc_bitstream import AudioPacket, AudioTrack, Caption, Chapter, Gop, Header, Stream, Writer

HEADER = Header(
    width=1919, height=1079, bit_depth=10, sar=(4, 3), rotation=270, primaries=9, transfer=16, matrix=9,
    full_range=True, chroma_location=1, time_base=(1, 90000), frame_rate=(30000, 1001), model="crossmodal",
    model_hash=bytes(range(32)), coder=2, text_encoder="m2v-mini",
)  # fmt: skip
TRACKS = (
    AudioTrack("aac", (1, 48000), 48000, "stereo", b"\x11\x90", "en", "Main", 128000, 1024),
    AudioTrack("pcm_s16le", (1, 8000), 8000, "mono"),
)
CAPTIONS = (Caption(0, 2_000_000, "a dog runs"), Caption(0, 2_000_000, "ein Hund läuft", "de"), Caption(5, 9, ""))
TAGS = {"title": "Dog", "comment": "zwölf \U0001f436"}
CHAPTERS = (Chapter(0, 1_000_000, "One"), Chapter(1_000_000, 2_000_000, "Two"))
POSTER = (b"\x89PNG\r\n\x1a\n" + bytes(20), "image/png")


def gop(number: int, frames: int = 3) -> Gop:
    """A GOP whose time steps vary (3003, 3004, ...) and whose payloads name it."""
    start = number * 100_000 - 3003
    pts = tuple(start + frame * 3003 + frame // 2 for frame in range(frames))
    streams = (Stream("main", (1, 2, 3), b"payload %d " % number * 3), Stream("tokens", (), b""))
    return Gop(pts, 3003, number * 256 + 128, 0xFEDCBA9876543210 + number, streams)


def packet(number: int) -> AudioPacket:
    """A packet; every third has no pts, every fourth no dts."""
    pts = None if number % 3 == 0 else number * 1024 - 1024
    dts = None if number % 4 == 0 else number * 1024 - 1024
    return AudioPacket(number % 2, pts, dts, 1024, b"sound%d" % number, number % 2 == 0)


def sample(gops: int = 3, metadata: bool = True, close: bool = True) -> bytes:
    """A whole file, or one that was never finished."""
    out = io.BytesIO()
    writer = Writer(out, HEADER)
    if metadata:
        writer.tracks(TRACKS)
        writer.captions(CAPTIONS)
        writer.tags(TAGS)
        writer.chapters(CHAPTERS)
        writer.poster(*POSTER)
    for number in range(gops):
        writer.gop(gop(number))
        if metadata:
            writer.audio([packet(2 * number), packet(2 * number + 1)])
    if close:
        writer.close()
    return out.getvalue()


def chunks_of(data: bytes) -> list[tuple[bytes, int, bytes]]:
    """(type, offset, payload) of every chunk, parsed here from SPEC.md and not by the package."""
    found, position = [], 10
    while position < len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        payload = data[position + 8 : position + 8 + length]
        assert zlib.crc32(data[position : position + 8 + length]) == int.from_bytes(
            data[position + 8 + length : position + 12 + length], "little"
        )
        found.append((data[position : position + 4], position, payload))
        position += 12 + length
    return found


def make_chunk(kind: bytes, payload: bytes) -> bytes:
    """A chunk with a right CRC."""
    body = kind + len(payload).to_bytes(4, "little") + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def replaced(data: bytes, kind: bytes, payload: bytes) -> bytes:
    """`data` with the first chunk of type `kind` holding `payload` instead (later offsets shift)."""
    out = [data[:10]]
    done = False
    for name, _, old in chunks_of(data):
        swap = name == kind and not done
        out.append(make_chunk(name, payload if swap else old))
        done = done or swap
    assert done
    return b"".join(out)
