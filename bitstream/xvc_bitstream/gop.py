"""GOP chunks: a head with its own CRC, then the stream payloads one after another.

The head can be read and trusted without reading megabytes of payload, so that a file is listed quickly and
a damaged GOP still says how many frames it would have had.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass

from . import limits
from .errors import FormatError, UsageError
from .records import Gop, GopEntry, Stream
from .wire import Cursor, put_sint, put_text, put_uint

PROBE = 1024
"""Bytes of payload that nearly always hold the whole head."""


@dataclass(frozen=True)
class GopHead:
    """Everything of a GOP but its payloads."""

    pts: tuple[int, ...]
    duration: int
    quality: int
    seed: int
    streams: tuple[tuple[str, tuple[int, ...], int], ...]  # name, shape, payload bytes
    size: int  # bytes of the head in the chunk's payload, its length field and CRC included

    def entry(self, offset: int, size: int) -> GopEntry:
        """The index entry of a GOP whose chunk is `size` bytes at `offset`."""
        duration = self.pts[-1] + self.duration - self.pts[0]
        return GopEntry(offset, size, self.pts[0], len(self.pts), duration, self.quality)


def pack_gop(gop: Gop) -> bytes:
    """The payload of a GOPF chunk."""
    head = bytearray()
    put_sint(head, gop.pts[0])
    put_uint(head, len(gop.pts))
    for delta, run in itertools.groupby(b - a for a, b in itertools.pairwise(gop.pts)):
        put_uint(head, delta)
        put_uint(head, sum(1 for _ in run))
    for value in (gop.duration, gop.quality, gop.seed, len(gop.streams)):
        put_uint(head, value)
    for stream in gop.streams:
        put_text(head, stream.name)
        put_uint(head, len(stream.shape))
        for side in stream.shape:
            put_uint(head, side)
        put_uint(head, len(stream.payload))
    if len(head) > limits.MAX_GOP_HEAD:
        raise UsageError("the head of a GOP would be longer than 65535 bytes; use shorter GOPs (-g)")
    size = len(head).to_bytes(2, "little")
    crc = zlib.crc32(head, zlib.crc32(size)).to_bytes(4, "little")
    return b"".join((size, head, crc, *(stream.payload for stream in gop.streams)))


def head_size(start: bytes) -> int:
    """Bytes of the whole head, told from the first two bytes of the payload."""
    if len(start) < 2:
        raise FormatError("a GOP is too short to hold its head")
    return 2 + int.from_bytes(start[:2], "little") + 4


def parse_head(start: bytes, length: int) -> GopHead:
    """Parse the head at the front of `start`, the beginning of a GOPF payload of `length` bytes.

    Raises FormatError when the CRC of the head is wrong, a cap is broken, or the lengths do not add up.
    """
    size = head_size(start)
    head = start[:size]
    if len(head) != size or zlib.crc32(head[:-4]) != int.from_bytes(head[-4:], "little"):
        raise FormatError("the head of a GOP has a wrong CRC")
    cursor = Cursor(head[2:-4], "the head of a GOP")
    pts = _parse_pts(cursor)
    duration = cursor.uint(limits.MAX_DURATION, "the duration")
    quality = cursor.uint(limits.MAX_QUALITY, "the quality")
    seed = cursor.uint(limits.MAX_SEED, "the seed")
    streams = tuple(_parse_stream(cursor) for _ in range(cursor.uint(limits.MAX_STREAMS, "the number of streams")))
    cursor.end()
    if size + sum(stream[2] for stream in streams) != length:
        raise FormatError("the streams of a GOP do not fill its chunk exactly")
    try:  # the record checks the rest, with empty payloads
        Gop(pts, duration, quality, seed, tuple(Stream(name, shape, b"") for name, shape, _ in streams))
    except UsageError as error:
        raise FormatError(f"the head of a GOP is not valid: {error}") from None
    return GopHead(pts, duration, quality, seed, streams, size)


def parse_gop(payload: bytes) -> tuple[Gop, GopHead]:
    """The GOP in the payload of a GOPF chunk. Raises FormatError."""
    head = parse_head(payload, len(payload))
    streams = []
    position = head.size
    for name, shape, length in head.streams:
        streams.append(Stream(name, shape, payload[position : position + length]))
        position += length
    return Gop(head.pts, head.duration, head.quality, head.seed, tuple(streams)), head


def _parse_pts(cursor: Cursor) -> tuple[int, ...]:
    pts = [cursor.sint("the first pts")]
    frames = cursor.uint(limits.MAX_GOP_FRAMES, "the number of frames")
    if not frames:
        raise FormatError("a GOP has no frames")
    while len(pts) < frames:
        delta = cursor.uint(2 * limits.MAX_PTS, "a pts step")
        run = cursor.uint(frames - len(pts), "a run of pts steps")
        if not run:
            raise FormatError("a run of pts steps is empty")
        pts.extend(itertools.islice(itertools.count(pts[-1] + delta, delta), run))
    return tuple(pts)


def _parse_stream(cursor: Cursor) -> tuple[str, tuple[int, ...], int]:
    name = cursor.text(limits.MAX_NAME, "a stream name")
    rank = cursor.uint(limits.MAX_RANK, "the rank of a stream")
    shape = tuple(cursor.uint(limits.MAX_ELEMENTS, "an axis of a stream") for _ in range(rank))
    return name, shape, cursor.uint(limits.MAX_CHUNK, "the length of a stream")
