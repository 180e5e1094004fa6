"""WebVTT and SRT in and out, through webvtt-py. Cues hold plain text: markup is dropped, entities are resolved."""

from __future__ import annotations

import html
import io
import itertools
import os
from collections.abc import Sequence

import webvtt
from webvtt.errors import MalformedCaptionError, MalformedFileError

from . import limits
from .errors import FormatError, UsageError
from .records import OPEN_END, Caption, require

MAX_FILE = 1 << 24
"""Largest caption file that is read, in bytes: a feature film takes about 2^17."""

_LAST_MS = 359_999_999
"""99:59:59.999, which stands for OPEN_END in files."""

_ERRORS = (MalformedFileError, MalformedCaptionError, ValueError)


def validate_captions(captions: Sequence[Caption]) -> None:
    """Raise UsageError unless the cues are in time order and not too many."""
    require(len(captions) <= limits.MAX_CAPTIONS, f"{len(captions)} captions are too many")
    ordered = all(a.start_us <= b.start_us for a, b in itertools.pairwise(captions))
    require(ordered, "captions must be in time order; sort them by start_us")


def read_captions(path: str | os.PathLike[str], language: str | None = None) -> tuple[Caption, ...]:
    """The cues of a .vtt or .srt file, sorted by time.

    `language` overrides what a WebVTT file says about itself in a `Language:` line; without either it is "en".
    Raises OSError, FormatError for what cannot be parsed, UsageError for another extension.
    """
    kind = _kind(path)
    with open(path, "rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise FormatError(f"the caption file is larger than {MAX_FILE} bytes")
    try:
        parsed = webvtt.WebVTT.from_buffer(io.StringIO(data.decode("utf-8-sig")), format=kind)
    except UnicodeDecodeError:
        raise FormatError("the caption file is not UTF-8; convert it first") from None
    except _ERRORS as error:
        raise FormatError(f"the caption file cannot be parsed as {kind.upper()}: {error}") from None
    if language is None:
        language = next((line[9:].strip() for line in parsed.metadata if line.startswith("Language:")), "en")
    cues = []
    for cue in parsed.captions:
        start, end = _microseconds(cue.start_time), _microseconds(cue.end_time)
        end = OPEN_END if end == _LAST_MS * 1000 else end
        text = _unescape(cue.text, kind).strip()
        try:
            cues.append(Caption(start, max(start, end), text, language))
        except UsageError as error:
            raise FormatError(f"the cue at {cue.start} cannot be kept: {error}") from None
    captions = tuple(sorted(cues, key=lambda item: (item.start_us, item.end_us)))
    validate_captions(captions)
    return captions


def write_captions(path: str | os.PathLike[str], captions: Sequence[Caption], language: str | None = None) -> None:
    """Write cues as .vtt or .srt, times rounded to milliseconds; empty lines and empty cues are left out.

    A file holds one language: with `language`, only its cues are written. Raises UsageError when there are
    several and none was chosen, OSError.
    """
    kind = _kind(path)
    validate_captions(captions)
    languages = list(dict.fromkeys(cue.language for cue in captions))
    if language is None and len(languages) > 1:
        raise UsageError(f"the captions are in several languages ({', '.join(languages)}); choose one")
    chosen = [cue for cue in captions if language in (None, cue.language)]
    cues = []
    for cue in chosen:
        lines = [line.strip() for line in cue.text.replace("\0", "").splitlines() if line.strip()]
        if lines:
            text = [_escape(line, kind) for line in lines]
            cues.append(webvtt.Caption(_timestamp(cue.start_us), _timestamp(cue.end_us), text))
    name = chosen[0].language if chosen else ""
    file = webvtt.WebVTT(captions=cues, metadata=[f"Language: {name}"] if name.strip() else [])
    out = io.StringIO()
    try:
        file.write(out, format=kind)
    except _ERRORS as error:
        raise UsageError(f"the captions cannot be written as {kind.upper()}: {error}") from None
    with open(path, "w", encoding="utf-8", newline="\n") as target:
        target.write(out.getvalue().rstrip("\n") + "\n")


def _kind(path: str | os.PathLike[str]) -> str:
    kind = os.path.splitext(os.fspath(path))[1].lower().lstrip(".")
    if kind not in ("vtt", "srt"):
        raise UsageError("captions are read and written as .vtt or .srt; use one of these extensions")
    return kind


def _escape(line: str, kind: str) -> str:
    """SRT has no entities, and players show `&amp;` as it stands: only what would be taken for markup is escaped."""
    if kind == "vtt":
        return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return line.replace("<", "&lt;").replace("-->", "--&gt;")


def _unescape(text: str, kind: str) -> str:
    return html.unescape(text) if kind == "vtt" else text.replace("&lt;", "<").replace("&gt;", ">")


def _microseconds(time: webvtt.models.Timestamp) -> int:
    hours, minutes, seconds, milliseconds = time.to_tuple()
    return (((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds) * 1000


def _timestamp(microseconds: int) -> str:
    total = min((microseconds + 500) // 1000, _LAST_MS)
    seconds, milliseconds = divmod(total, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{milliseconds:03d}"
