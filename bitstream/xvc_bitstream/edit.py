"""Rewrites the metadata of a file; latents and audio are copied as they are."""

from __future__ import annotations

from collections.abc import Sequence

from . import chunks
from .errors import UsageError
from .metadata import parse_audio
from .reader import Reader
from .records import Caption
from .writer import Sink, Writer


def replace_captions(source: Reader, target: Sink, captions: Sequence[Caption]) -> None:
    """Write `source` to `target` with another caption track (none, when `captions` is empty).

    Raises DamagedError when a GOP or audio chunk cannot be copied, UsageError for files of a newer minor
    version (what they add could depend on what is changed here) and for files that were cut off.
    """
    if source.version[1] > chunks.MINOR:
        raise UsageError("the file was written by a newer xvc; update xvc to change it")
    if source.truncated:
        raise UsageError("the file is cut off; encode it again before changing its captions")
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
                writer.gop(source.gop(numbers[ref.offset]))
            elif ref.type == chunks.AUDIO:
                writer.audio(parse_audio(source.payload(ref), len(source.tracks)))
            elif ref.type not in chunks.KNOWN:
                writer.extra(ref.type, source.payload(ref))
