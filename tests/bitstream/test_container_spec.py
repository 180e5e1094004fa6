"""The file in SPEC.md, and the golden file: bytes that must be read for ever."""

from __future__ import annotations

import io
import os
from pathlib import Path

import coder_reference
import numpy as np
import zstandard
from container_samples import CAPTIONS, CHAPTERS, HEADER, POSTER, TAGS, TRACKS, chunks_of, gop, packet, sample
from xvc_bitstream import Gop, Header, Reader, Stream, TableSet, Writer, get_coder, limits

SPEC = Path(__file__).resolve().parents[2] / "bitstream" / "SPEC.md"
ROWS = [[0, 16384, 32768, 49152, 65536]]


def spec_example() -> bytes:
    """The bytes of the hex dump in section 10."""
    lines = SPEC.read_text().split("## 10. Example")[1].split("```")[1].strip().splitlines()
    assert [line[:4] for line in lines] == [f"{16 * number:04x}" for number in range(len(lines))]
    return bytes.fromhex("".join(line[6:] for line in lines))


def content(data: bytes) -> list[tuple[bytes, bytes]]:
    """Chunks with compressed ones unpacked: another zstandard release may pack differently."""
    packed = (b"TRAK", b"CAPT", b"TAGS", b"CHAP", b"POST", b"INDX")
    unpack = zstandard.ZstdDecompressor().decompress
    return [(kind, unpack(raw) if kind in packed else raw) for kind, _, raw in chunks_of(data) if kind != b"DONE"]


def test_the_example_of_the_specification_is_what_it_says() -> None:
    data = spec_example()
    with Reader.open(io.BytesIO(data)) as reader:
        assert reader.header == Header(
            2, 2, 8, (1, 1), 0, 2, 2, 2, False, 0, (1, 25), (25, 1), "demo", bytes(32), 2, ""
        )
        stream = reader.gop(0).streams[0]
        assert reader.gop(0) == Gop((0, 1, 2), 1, 5120, 0, (stream,))
        assert not reader.truncated
        assert not reader.verify()
    assert (stream.name, stream.shape) == ("y", (1, 3))
    assert coder_reference.decode(2, stream.payload, [0, 0, 0], ROWS, -1) == [0, 1, 5]


def test_the_writer_makes_the_example_of_the_specification() -> None:
    data = spec_example()
    with Reader.open(io.BytesIO(data)) as reader:
        out = io.BytesIO()
        symbols, index = np.array([0, 1, 5], np.int32), np.zeros(3, np.uint8)
        payload = get_coder(2).encode(symbols, index, TableSet(ROWS, -1))
        with Writer(out, reader.header) as writer:
            writer.gop(Gop((0, 1, 2), 1, 5120, 0, (Stream("y", (1, 3), payload),)))
    assert content(out.getvalue()) == content(data)


def test_the_golden_file(vectors_dir: Path) -> None:
    """`XVC_REGENERATE=1` writes it anew; that is a change of format and needs another version number."""
    path = vectors_dir / "container_v1.xvc"
    if os.environ.get("XVC_REGENERATE"):
        path.write_bytes(sample())
    data = path.read_bytes()
    assert content(sample()) == content(data)
    with Reader.open(path) as reader:
        assert reader.header == HEADER
        assert reader.version == (1, 0)
        assert (reader.tracks, reader.captions, reader.tags, reader.chapters) == (TRACKS, CAPTIONS, TAGS, CHAPTERS)
        assert reader.poster is not None
        assert (reader.poster.data, reader.poster.mime) == POSTER
        assert list(reader.gops()) == [gop(0), gop(1), gop(2)]
        assert list(reader.audio()) == [packet(number) for number in range(6)]
        assert [entry.start_pts for entry in reader.entries] == [-3003, 96997, 196997]
        assert [entry.duration for entry in reader.entries] == [3 * 3003 + 1] * 3
        assert reader.size == len(data)
        assert not reader.verify()
        assert not reader.truncated


def test_the_limits_in_the_specification_are_the_ones_in_the_code() -> None:
    text = SPEC.read_text()
    for words in ("at most 2^31", "1..16384 each, product at most 2^26", "1..1024", "0..16128", "at most 2^40",
                  "0..64, then", "product at most 2^29", "(<= 65536); for each packet", "size (<= 2^26)",
                  "2^22 chunks and 2^20 GOPs"):  # fmt: skip
        assert words in text
    assert (limits.MAX_CHUNK, limits.MAX_SIDE, limits.MAX_PIXELS) == (2**31, 16384, 2**26)
    assert (limits.MAX_GOP_FRAMES, limits.MAX_QUALITY, limits.MAX_DURATION) == (1024, 16128, 2**40)
    assert (limits.MAX_STREAMS, limits.MAX_ELEMENTS, limits.MAX_PACKETS) == (64, 2**29, 65536)
    assert (limits.MAX_PACKET, limits.MAX_CHUNKS, limits.MAX_GOPS) == (2**26, 2**22, 2**20)
