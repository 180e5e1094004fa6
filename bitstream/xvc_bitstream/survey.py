"""Finds the chunks of a file without reading payloads, and works out what to believe when they disagree.

1. Walk from chunk to chunk. A whole file ends with DONE, and an index sits in front of it.
2. If the walk got there, the index must list exactly the chunks that were met; if it does not, it lies, and the
   heads of the GOPs are read instead.
3. If the walk met something that is no chunk, a length field is broken. The index at the end of the file then
   says where the GOPs are; without one, the next place that holds a GOP head with a right CRC is searched.
4. If nothing follows, the file was cut off, and what came before is played.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import chunks, limits, pieces
from .chunks import ChunkRef, is_type, payload_of, unsqueeze
from .errors import BitstreamError, FormatError
from .gop import PROBE, GopHead, head_size, parse_head
from .index import parse_index
from .records import Damage, Gop, GopEntry, Stream
from .source import Source

_TAIL = chunks.OVERHEAD + 8


@dataclass
class Layout:
    """Where things are in a file."""

    refs: list[ChunkRef] = field(default_factory=list)  # every chunk met, in file order
    gops: list[GopEntry] = field(default_factory=list)
    audio: list[ChunkRef] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    truncated: bool = False
    indexed: bool = False  # whether `gops` came from the index and still has to be checked GOP by GOP
    tail: Gop | None = None  # the GOP in which the file was cut off, as far as it can be used; it is the last of `gops`


def survey(source: Source) -> Layout:
    """List the chunks of `source`, whose preamble was checked. Raises FormatError for more chunks than allowed."""
    layout = Layout()
    end = _walk(source, chunks.PREAMBLE, layout.refs)
    whole = bool(layout.refs) and layout.refs[-1].type == chunks.END
    index = _read_index(source, layout, whole)
    if not whole and index is None:
        end = _resync(source, end, layout)
        layout.truncated = True
    elif not whole:
        layout.damage.append(Damage(end, "", None, "a chunk head is broken; the index was used to go round it"))
    walked_gops = [ref for ref in layout.refs if ref.type == chunks.GOP]
    layout.audio = [ref for ref in layout.refs if ref.type == chunks.AUDIO]
    if index is not None:
        gops, audio = index
        agrees = [(ref.offset, ref.size) for ref in walked_gops] == [(gop.offset, gop.size) for gop in gops]
        if not whole or (agrees and audio == layout.audio):
            layout.gops, layout.audio, layout.indexed = gops, audio, True
            return layout
        offset = next(ref.offset for ref in layout.refs if ref.type == chunks.INDEX)
        layout.damage.append(Damage(offset, "INDX", None, "the index does not match the chunks; it was ignored"))
    layout.gops = list(scan(source, walked_gops, layout.damage))
    if layout.truncated:
        _add_tail(source, end, layout)
    return layout


def _add_tail(source: Source, position: int, layout: Layout) -> None:
    """The GOP in which the file was cut off, when whole pieces of its tokens arrived, which stand behind its other
    streams."""
    head = source.read_at(position, chunks.HEAD_SIZE)
    ref = ChunkRef(head[:4], position, int.from_bytes(head[4:8], "little"))
    if ref.type != chunks.GOP or len(head) < chunks.HEAD_SIZE or not ref.length <= limits.MAX_CHUNK:
        return
    try:
        gop = read_head(source, ref)
    except FormatError:
        return
    start = ref.offset + chunks.HEAD_SIZE + gop.size
    streams = []
    for name, shape, length in gop.streams:
        data = source.read_at(start, min(length, source.size - start)) if start < source.size else b""
        stream = Stream(name, shape, data)
        if name == pieces.NAME:
            stream = pieces.arrived(stream) or stream
        elif len(data) < length:
            return
        streams.append(stream)
        start += length
    last = layout.gops[-1] if layout.gops else None
    if not streams or streams[-1].name != pieces.NAME or not streams[-1].payload or (last and gop.pts[0] < last.end_pts):
        return
    try:
        pieces.split(streams[-1])
    except FormatError:
        return
    layout.tail = Gop(gop.pts, gop.duration, gop.quality, gop.seed, tuple(streams))
    layout.gops.append(gop.entry(position, source.size - position))


def scan(source: Source, refs: list[ChunkRef], damage: list[Damage]) -> Iterator[GopEntry]:
    """Entries for the GOP chunks `refs`, from their heads.

    A GOP whose head is broken, or which does not follow the one before it in time, gets an entry of no frames.
    """
    end = -limits.MAX_PTS
    for number, ref in enumerate(refs):
        try:
            head = read_head(source, ref)
            if number and head.pts[0] < end:
                raise FormatError("it overlaps the GOP before it in time")
            end = head.pts[-1] + 1
            yield head.entry(ref.offset, ref.size)
        except FormatError as error:
            damage.append(Damage(ref.offset, "GOPF", number, str(error)))
            yield GopEntry(ref.offset, ref.size, max(end, -limits.MAX_PTS), 0, 0, 0)


def read_head(source: Source, ref: ChunkRef) -> GopHead:
    """The head of the GOP chunk `ref`. Raises FormatError."""
    start = source.read_at(ref.offset + chunks.HEAD_SIZE, min(PROBE, ref.length))
    size = head_size(start)
    if size > len(start):
        start = source.read_at(ref.offset + chunks.HEAD_SIZE, min(size, ref.length))
    return parse_head(start, ref.length)


def _walk(source: Source, position: int, refs: list[ChunkRef]) -> int:
    """Append the chunks from `position` on to `refs`; return where the walk ended."""
    while True:
        head = source.read_at(position, chunks.HEAD_SIZE)
        if len(head) < chunks.HEAD_SIZE or not is_type(head[:4]):
            return position
        ref = ChunkRef(head[:4], position, int.from_bytes(head[4:], "little"))
        if ref.length > limits.MAX_CHUNK or position + ref.size > source.size:
            return position
        if len(refs) >= limits.MAX_CHUNKS:
            raise FormatError(f"the file has more than {limits.MAX_CHUNKS} chunks")
        refs.append(ref)
        position += ref.size
        if ref.type == chunks.END:
            return position


def _read_index(source: Source, layout: Layout, whole: bool) -> tuple[list[GopEntry], list[ChunkRef]] | None:
    """The index at the end of the file: None where there is none or it cannot be read (which is noted)."""
    tail = source.read_at(max(0, source.size - _TAIL), _TAIL)
    if whole:
        ref = layout.refs[-1]
        tail = source.read_at(ref.offset, ref.size)
    offset = 0
    try:
        offset = int.from_bytes(payload_of(tail, ChunkRef(chunks.END, max(0, source.size - _TAIL), 8)), "little")
        head = source.read_at(offset, chunks.HEAD_SIZE)
        ref = ChunkRef(chunks.INDEX, offset, int.from_bytes(head[4:], "little"))
        if head[:4] != chunks.INDEX or (whole and ref not in layout.refs):
            raise FormatError("the end mark does not point to the index")
        payload = payload_of(source.read_at(offset, min(ref.size, source.size)), ref)
        # no entry is longer than the chunk that it lists, so an honest index is smaller than the file
        return parse_index(unsqueeze(payload, min(limits.MAX_INDEX, source.size), "the index"))
    except BitstreamError as error:
        if whole:
            layout.damage.append(Damage(offset, "INDX", None, f"{error}; the index was ignored"))
        return None


def _resync(source: Source, position: int, layout: Layout) -> int:
    """Walk on behind broken chunk heads, from GOP to GOP; return where the last walk ended."""
    tries = limits.MAX_RESYNC_TRIES
    search = position + 1
    while tries:
        found, tries = _next_gop(source, search, tries)
        if found is None:
            break
        reason = "a chunk head is broken; reading went on at the next GOP"
        layout.damage.append(Damage(position, "", None, reason))
        position = _walk(source, found, layout.refs)
        search = position + 1
        if layout.refs[-1].type == chunks.END:
            break
    return position


def _next_gop(source: Source, position: int, tries: int) -> tuple[int | None, int]:
    """The first offset from `position` on that holds a GOP with a sound head, and the tries that are left."""
    block_size = 1 << 20
    while position < source.size and tries:
        block = source.read_at(position, block_size + 3)
        at = block.find(chunks.GOP)
        while at >= 0 and tries:
            tries -= 1
            length = int.from_bytes(source.read_at(position + at + 4, 4), "little")
            ref = ChunkRef(chunks.GOP, position + at, length)
            try:
                if ref.offset + ref.size <= source.size:
                    read_head(source, ref)
                    return ref.offset, tries
            except FormatError:
                pass
            at = block.find(chunks.GOP, at + 1)
        position += block_size
    return None, tries
