"""Rewrites the metadata of a file, or drops the finest tokens; everything else is copied as it is."""

from __future__ import annotations

from collections.abc import Sequence

from . import chunks, pieces
from .errors import UsageError
from .metadata import parse_audio
from .reader import Reader
from .records import Caption, Gop
from .writer import Sink, Writer


def replace_captions(source: Reader, target: Sink, captions: Sequence[Caption]) -> None:
    """Write `source` to `target` with another caption track (none, when `captions` is empty).

    Raises DamagedError when a GOP or audio chunk cannot be copied, UsageError for files of a newer minor
    version (what they add could depend on what is changed here) and for files that were cut off.
    """
    _copy(source, target, captions, None)


def truncate(source: Reader, target: Sink, video_bytes: int) -> None:
    """Write `source` to `target` without its finest tokens, so that all but its audio takes at most `video_bytes`.

    Raises DamagedError for what cannot be copied, UsageError when the model writes no tokens, when it cannot be so
    small, and as `replace_captions` does.
    """
    whole = list(source.gops())
    if not whole:
        raise UsageError("the file holds no whole GOP")
    payloads = sum(entry.size - chunks.OVERHEAD for entry in source.entries)
    rest = source.size - source.audio_bytes - payloads
    _copy(source, target, source.captions, pieces.fit(whole, video_bytes - rest))


def _copy(source: Reader, target: Sink, captions: Sequence[Caption], gops: Sequence[Gop] | None) -> None:
    """Write `source` to `target` with these captions and, if given, these GOPs."""
    if source.version[1] > chunks.MINOR:
        raise UsageError("the file was written by a newer xvc; update xvc to change it")
    if source.truncated:
        raise UsageError("the file is cut off; encode it again before changing it")
    with Writer(target, source.header) as writer:
        if source.tracks:
            writer.tracks(source.tracks)
        if captions:
            writer.captions(captions)
        if source.tags:
            writer.tags(source.tags)
        if source.chapters:
            writer.chapters(source.chapters)
        if source.poster is not None:
            writer.poster(source.poster.data, source.poster.mime)
        numbers = {entry.offset: number for number, entry in enumerate(source.entries)}
        for ref in source.refs:
            if ref.type == chunks.GOP:
                number = numbers[ref.offset]
                writer.gop(source.gop(number) if gops is None else gops[number])
            elif ref.type == chunks.AUDIO:
                writer.audio(parse_audio(source.payload(ref), len(source.tracks)))
            elif ref.type not in chunks.KNOWN:
                writer.extra(ref.type, source.payload(ref))
