"""The index chunk: where every GOP and audio chunk is. A convenience that readers check, never trust."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from . import limits
from .chunks import AUDIO, OVERHEAD, ChunkRef
from .errors import FormatError
from .records import GopEntry
from .wire import Cursor, put_sint, put_uint


def pack_index(gops: Sequence[GopEntry], audio: Sequence[ChunkRef]) -> bytes:
    """The content of INDX. Offsets and start times are stored as differences."""
    out = bytearray()
    put_uint(out, len(gops))
    offset = start = 0
    for entry in gops:
        put_uint(out, entry.offset - offset)
        put_uint(out, entry.size)
        put_sint(out, entry.start_pts - start)
        for value in (entry.frames, entry.duration, entry.quality):
            put_uint(out, value)
        offset, start = entry.offset, entry.start_pts
    put_uint(out, len(audio))
    offset = 0
    for ref in audio:
        put_uint(out, ref.offset - offset)
        put_uint(out, ref.size)
        offset = ref.offset
    return bytes(out)


def parse_index(raw: bytes) -> tuple[list[GopEntry], list[ChunkRef]]:
    """GOP entries and audio chunks in the content of INDX. Raises FormatError."""
    cursor = Cursor(raw, "the index")
    size_cap = limits.MAX_CHUNK + OVERHEAD
    gops: list[GopEntry] = []
    offset = start = 0
    for _ in range(cursor.uint(limits.MAX_GOPS, "the number of GOPs")):
        offset += cursor.uint(limits.MAX_PTS, "an offset")
        size = cursor.uint(size_cap, "a chunk size")
        start += cursor.sint("a start time")
        frames = cursor.uint(limits.MAX_GOP_FRAMES, "a number of frames")
        duration = cursor.uint(2 * limits.MAX_PTS + limits.MAX_DURATION, "a duration")
        gops.append(GopEntry(offset, size, start, frames, duration, cursor.uint(limits.MAX_QUALITY, "a quality")))
    audio: list[ChunkRef] = []
    offset = 0
    for _ in range(cursor.uint(limits.MAX_CHUNKS, "the number of audio chunks")):
        offset += cursor.uint(limits.MAX_PTS, "an offset")
        audio.append(ChunkRef(AUDIO, offset, cursor.uint(size_cap, "a chunk size") - OVERHEAD))
    cursor.end()
    if any(a.start_pts >= b.start_pts for a, b in itertools.pairwise(gops)):
        raise FormatError("the index is not in time order")
    if any(entry.size < OVERHEAD for entry in gops) or any(ref.length < 0 for ref in audio):
        raise FormatError("the index lists a chunk that is too small to be one")
    return gops, audio
