"""Writes an `.xvc` file front to back, so that pipes work: it never seeks and never asks where it is."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol

from . import chunks, limits
from .chunks import ChunkRef, chunk, squeeze
from .errors import UsageError
from .gop import pack_gop
from .index import pack_index
from .metadata import (
    pack_audio,
    pack_captions,
    pack_chapters,
    pack_header,
    pack_poster,
    pack_tags,
    pack_tracks,
)
from .records import AudioPacket, AudioTrack, Caption, Chapter, Gop, GopEntry, Header, Poster, require


class Sink(Protocol):
    """Anything that takes bytes: a file, a pipe, a socket's file object."""

    def write(self, data: bytes, /) -> Any:
        """Take some or all of `data`; return how many bytes, or None for all."""


class Writer:
    """Header first, then metadata (each kind at most once), then GOPs and audio in any interleaving, then `close`.

    Every method raises UsageError for what the format cannot hold, before a byte of it is written.
    Leaving a `with` block closes the file only when no exception is under way: the index of a file that
    could not be finished is not written, which is how readers know.
    """

    def __init__(self, fileobj: Sink, header: Header) -> None:
        self.header = header
        self.bytes_written = 0
        self._file = fileobj
        self._gops: list[GopEntry] = []
        self._audio: list[ChunkRef] = []
        self._tracks = 0
        self._last_pts = -limits.MAX_PTS - 1
        self._metadata: set[bytes] = set()
        self._closed = False
        self._write(chunks.MAGIC + bytes((chunks.MAJOR, chunks.MINOR)))
        self._emit(chunks.HEADER, pack_header(header))

    def tracks(self, tracks: Sequence[AudioTrack]) -> None:
        """Declare the audio tracks; packets name them by their place in this list."""
        self._emit_metadata(chunks.TRACKS, pack_tracks(tracks))
        self._tracks = len(tracks)

    def captions(self, captions: Sequence[Caption]) -> None:
        """Store timed cues, which must be in time order."""
        self._emit_metadata(chunks.CAPTIONS, pack_captions(captions))

    def tags(self, tags: dict[str, str]) -> None:
        """Store free key-value pairs (title, artist, encoder ...)."""
        self._emit_metadata(chunks.TAGS, pack_tags(tags))

    def chapters(self, chapters: Sequence[Chapter]) -> None:
        """Store chapters."""
        self._emit_metadata(chunks.CHAPTERS, pack_chapters(chapters))

    def poster(self, data: bytes, mime: str) -> None:
        """Store one still picture, already coded (PNG, JPEG ...)."""
        self._emit_metadata(chunks.POSTER, pack_poster(Poster(data, mime)))

    def gop(self, gop: Gop) -> GopEntry:
        """Write a GOP, which must begin after the last frame of the one before it; return its index entry."""
        require(gop.pts[0] > self._last_pts, "GOPs must be written in time order and must not overlap")
        require(len(self._gops) < limits.MAX_GOPS, f"a file holds at most {limits.MAX_GOPS} GOPs; use longer ones (-g)")
        ref = self._emit(chunks.GOP, pack_gop(gop))
        duration = gop.pts[-1] + gop.duration - gop.pts[0]
        entry = GopEntry(ref.offset, ref.size, gop.pts[0], len(gop.pts), duration, gop.quality)
        self._gops.append(entry)
        self._last_pts = gop.pts[-1]
        return entry

    def audio(self, packets: AudioPacket | Sequence[AudioPacket]) -> None:
        """Write packets, in the order given, as one chunk; an empty list writes nothing."""
        packets = [packets] if isinstance(packets, AudioPacket) else packets
        for packet in packets:
            require(packet.track < self._tracks, f"audio track {packet.track} was not declared with tracks()")
        if packets:
            self._audio.append(self._emit(chunks.AUDIO, pack_audio(packets)))

    def extra(self, kind: bytes, payload: bytes) -> None:
        """Write a chunk of a type that this version does not know (when a file is copied)."""
        require(chunks.is_type(kind) and kind not in chunks.KNOWN, f"{kind!r} is not a free chunk type")
        self._emit(kind, payload)

    def close(self) -> None:
        """Write the index and the end mark. The file object is flushed but stays open."""
        if self._closed:
            return
        index = self._emit(chunks.INDEX, squeeze(pack_index(self._gops, self._audio)))
        self._emit(chunks.END, index.offset.to_bytes(8, "little"))
        self._closed = True
        flush = getattr(self._file, "flush", None)
        if flush is not None:
            flush()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()

    def _emit_metadata(self, kind: bytes, raw: bytes) -> None:
        require(kind not in self._metadata, f"{kind.decode()} was written already; give all of it in one call")
        require(not self._gops and not self._audio, "metadata must be written before the first GOP or audio packet")
        cap = limits.MAX_POSTER + limits.MAX_METADATA if kind == chunks.POSTER else limits.MAX_METADATA
        require(len(raw) <= cap, f"{kind.decode()} would take {len(raw)} bytes, but at most {cap} are allowed")
        self._emit(kind, squeeze(raw))
        self._metadata.add(kind)

    def _emit(self, kind: bytes, payload: bytes) -> ChunkRef:
        if self._closed:
            raise UsageError("the writer is closed")
        ref = ChunkRef(kind, self.bytes_written, len(payload))
        self._write(chunk(kind, payload))
        return ref

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:  # an unbuffered pipe may take less than it was given
            taken = self._file.write(view)  # type: ignore[arg-type]
            taken = len(view) if taken is None else taken
            self.bytes_written += taken
            view = view[taken:]
