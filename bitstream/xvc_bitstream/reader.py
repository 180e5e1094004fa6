"""Reads `.xvc` files: lists them without touching payloads, and hands out GOPs and audio one at a time."""

from __future__ import annotations

import bisect
import contextlib
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from types import TracebackType
from typing import BinaryIO, TypeVar

from . import chunks, limits, metadata
from .chunks import ChunkRef, damaged, payload_of, unsqueeze
from .errors import DamagedError, FormatError, UsageError
from .gop import parse_gop
from .records import AudioPacket, AudioTrack, Caption, Chapter, Damage, Gop, GopEntry, Header, Poster
from .source import Source
from .survey import Layout, scan, survey

T = TypeVar("T")


class Reader:
    """An open `.xvc` file.

    Strict (the default): damage that touches what was asked for raises DamagedError. With `ignore_errors` it is
    noted in `damage` and gone round; `gop(i)` still raises, so that the caller can conceal `entries[i].frames`
    frames. A file that was cut off is not an error: `truncated` is True, and its whole GOPs are there; a last one of which
    whole pieces of tokens arrived is there with these.
    """

    def __init__(self, source: Source, strict: bool) -> None:
        self._source = source
        self._strict = strict
        self.version = _check_preamble(source.read_at(0, chunks.PREAMBLE))
        self.size = source.size
        self._layout: Layout = survey(source)
        self.damage: list[Damage] = self._layout.damage
        self.header: Header = self._read_header()
        broken = next((item for item in self.damage if not item.chunk_type), None)
        if strict and broken is not None:
            message = f"byte {broken.offset}: {broken.reason}; use --ignore-errors to read the rest"
            raise DamagedError(message, broken.offset)
        self.tracks: tuple[AudioTrack, ...] = self._metadata(chunks.TRACKS, metadata.parse_tracks) or ()
        self.captions: tuple[Caption, ...] = self._metadata(chunks.CAPTIONS, metadata.parse_captions) or ()
        self.tags: dict[str, str] = self._metadata(chunks.TAGS, metadata.parse_tags) or {}
        self.chapters: tuple[Chapter, ...] = self._metadata(chunks.CHAPTERS, metadata.parse_chapters) or ()

    @classmethod
    def open(
        cls, target: str | os.PathLike[str] | BinaryIO, strict: bool = True, ignore_errors: bool = False
    ) -> Reader:
        """Open a path or a binary file object (pipes too). `ignore_errors` overrides `strict`.

        Raises OSError, FormatError for what is not `.xvc`, DamagedError for what is broken.
        """
        source = Source(target)
        try:
            return cls(source, strict and not ignore_errors)
        except BaseException:
            source.close()
            raise

    @property
    def entries(self) -> list[GopEntry]:
        """One entry a GOP, in time order. An entry of 0 frames stands for a GOP whose head is lost."""
        return self._layout.gops

    @property
    def truncated(self) -> bool:
        """Whether the end of the file is missing."""
        return self._layout.truncated

    @property
    def audio_bytes(self) -> int:
        """Bytes of all audio chunks. `size - audio_bytes` is what rates are computed from."""
        return sum(ref.size for ref in self._layout.audio)

    @cached_property
    def poster(self) -> Poster | None:
        """The still picture, read when first asked for."""
        return self._metadata(chunks.POSTER, metadata.parse_poster, limits.MAX_POSTER + limits.MAX_METADATA)

    @property
    def refs(self) -> list[ChunkRef]:
        """Every chunk that was met, unknown types included, in file order."""
        return self._layout.refs

    def payload(self, ref: ChunkRef) -> bytes:
        """The payload of a chunk. Raises DamagedError."""
        return payload_of(self._source.read_at(ref.offset, ref.size), ref)

    def gop(self, number: int) -> Gop:
        """GOP `number`, from 0. Raises DamagedError that names it, IndexError where there is none."""
        if not 0 <= number < len(self.entries):
            raise IndexError(f"GOP {number} does not exist; the file has {len(self.entries)}")
        if self._layout.tail is not None and number == len(self.entries) - 1:
            return self._layout.tail
        entry = self.entries[number]
        ref = ChunkRef(chunks.GOP, entry.offset, entry.size - chunks.OVERHEAD)
        try:
            try:
                gop, head = parse_gop(payload_of(self._source.read_at(ref.offset, ref.size), ref, number))
            except FormatError as error:
                raise damaged(ref, str(error), number) from None
            if head.entry(entry.offset, entry.size) != entry:
                self._distrust_index(ref, number)
            return gop
        except DamagedError as error:
            self._note(error)
            raise

    def gops(self) -> Iterator[Gop]:
        """All GOPs in time order. With `ignore_errors`, damaged ones are left out and noted in `damage`."""
        for number in range(len(self.entries)):
            try:
                yield self.gop(number)
            except DamagedError:
                if self._strict:
                    raise

    def audio(self) -> Iterator[AudioPacket]:
        """All audio packets in file order. With `ignore_errors`, damaged chunks are left out and noted."""
        for ref in self._layout.audio:
            packets = self._guarded(ref, lambda raw: metadata.parse_audio(raw, len(self.tracks)))
            yield from packets or ()

    def find(self, pts: int) -> int:
        """Number of the GOP that holds tick `pts`; the first or last one for a time outside the file."""
        if not self.entries:
            raise UsageError("the file has no GOPs to seek in")
        return max(0, bisect.bisect_right(self.entries, pts, key=lambda entry: entry.start_pts) - 1)

    def verify(self) -> list[Damage]:
        """Read every chunk and check it; return all damage known so far, in file order. Never raises for damage."""
        for number in range(len(self.entries)):
            with contextlib.suppress(DamagedError):  # gop() has noted it
                self.gop(number)
        strict, self._strict = self._strict, False
        try:
            for _ in self.audio():
                pass
            for ref in self._layout.refs:
                if ref.type not in (chunks.GOP, chunks.AUDIO):
                    self._guarded(ref, len)
        finally:
            self._strict = strict
        return sorted(self.damage, key=lambda item: item.offset)

    def close(self) -> None:
        """Close the file if this reader opened it."""
        self._source.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read_header(self) -> Header:
        refs = self._layout.refs
        if not refs or refs[0].type != chunks.HEADER:
            raise FormatError("the file is cut off or broken inside its header; nothing of it can be read")
        return metadata.parse_header(self.payload(refs[0]))

    def _metadata(self, kind: bytes, parse: Callable[[bytes], T], cap: int = limits.MAX_METADATA) -> T | None:
        refs = [ref for ref in self._layout.refs if ref.type == kind]
        if not refs:
            return None
        result = self._guarded(refs[0], lambda raw: parse(unsqueeze(raw, cap, f"chunk {kind.decode()}")))
        if len(refs) > 1:
            self._handle(damaged(refs[1], "a chunk of this type may come only once"))
        return result

    def _guarded(self, ref: ChunkRef, parse: Callable[[bytes], T]) -> T | None:
        """`parse(payload)`; when that fails, raise (strict) or note the damage and return None."""
        try:
            return parse(self.payload(ref))
        except DamagedError as error:
            self._handle(error)
        except FormatError as error:
            self._handle(damaged(ref, str(error)))
        return None

    def _distrust_index(self, ref: ChunkRef, number: int) -> None:
        """The index told another time than GOP `number` itself: list the file from the GOPs' own heads."""
        if not self._layout.indexed or self._layout.refs[-1].type != chunks.END:
            raise damaged(ref, "its times do not fit the rest of the file", number)
        self.damage.append(Damage(ref.offset, "INDX", None, "the index does not match the GOPs; it was ignored"))
        walked = [item for item in self._layout.refs if item.type == chunks.GOP]
        self._layout.gops = list(scan(self._source, walked, self.damage))
        self._layout.indexed = False

    def _handle(self, error: DamagedError) -> None:
        if self._strict:
            raise error
        self._note(error)

    def _note(self, error: DamagedError) -> None:
        """Add to `damage`, once."""
        item = Damage(error.offset, error.chunk_type, error.gop_index, str(error))
        places = {(known.offset, known.chunk_type, known.gop_index) for known in self.damage}
        if (item.offset, item.chunk_type, item.gop_index) not in places:
            self.damage.append(item)


def _check_preamble(start: bytes) -> tuple[int, int]:
    """Format version (major, minor) from the first bytes of a file. Raises FormatError."""
    if not start:
        raise FormatError("the file is empty")
    if start[:8] != chunks.MAGIC:
        hint = " (it was cut off)" if chunks.MAGIC.startswith(start[:8]) else ""
        raise FormatError(f"this is not an .xvc file{hint}")
    if len(start) < chunks.PREAMBLE:
        raise FormatError("the file is cut off or broken inside its header; nothing of it can be read")
    major, minor = start[8], start[9]
    if major > chunks.MAJOR:
        raise FormatError(f"the file has format version {major}, but this xvc reads up to {chunks.MAJOR}; update xvc")
    if major < 1:
        raise FormatError("the file has format version 0, which was never released")
    return major, minor
