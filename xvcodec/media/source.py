"""Open what people name as input (path, image pattern, `-`, file object) as an av container, or say why not."""

from __future__ import annotations

import os
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
from av.container import InputContainer

from xvcodec.errors import InputError

from .types import MAX_PIXELS, MAX_SIDE

Source = str | os.PathLike[str] | IO[bytes]

# Formats that draw text as video, or that follow references to other files: a stranger's file must do neither.
_REFUSED = {"tty", "bin", "xbin", "adf", "idf", "hls", "dash", "concat", "imf", "lavfi", "sdp", "rtsp", "webvtt", "srt"}
_PATTERN = re.compile(r"%0?\d*d")


class _Pipe:
    """Hides everything but `read`, so that FFmpeg never tries to seek in a pipe."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read


def is_pattern(source: Source) -> bool:
    """Whether `source` names an image sequence such as `frame%05d.png`."""
    return isinstance(source, str | os.PathLike) and bool(_PATTERN.search(os.fspath(source)))


def name_of(source: Source) -> str:
    """`source` as it should be called in a message."""
    if isinstance(source, str | os.PathLike):
        return "the standard input" if os.fspath(source) == "-" else f"'{os.fspath(source)}'"
    return "the input stream"


def open_container(source: Source) -> InputContainer:
    """Open `source` for demuxing; raises InputError with one sentence when that is not possible."""
    name = name_of(source)
    options: dict[str, str] = {}
    target: Any = source
    if isinstance(source, str | os.PathLike):
        if os.fspath(source) == "-":
            target = _Pipe(sys.stdin.buffer)
        else:
            target, options = _check_path(Path(source))
    elif not can_seek(source):
        target = _Pipe(source)
    try:
        container = av.open(target, "r", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{name} is not a video that can be read ({_reason(error)}).") from error
    if set(container.format.name.split(",")) & _REFUSED:
        container.close()
        raise InputError(f"{name} is not a video.")
    return container


def can_seek(source: Source) -> bool:
    """Whether `source` can be read from another place, or a second time; pipes cannot."""
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        return path != "-" and (os.path.isfile(path) or is_pattern(path))
    try:
        return bool(source.seekable())
    except (AttributeError, OSError, ValueError):
        return False


def _check_path(path: Path) -> tuple[str, dict[str, str]]:
    if not path.exists():
        if is_pattern(path):
            return _first_of_sequence(path)
        raise InputError(f"There is no file '{path}'.")
    if path.is_dir():
        raise InputError(f"'{path}' is a folder; name a video file, or an image sequence such as frame%05d.png.")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"'{path}' is empty.")
    if not os.access(path, os.R_OK):
        raise InputError(f"'{path}' may not be read; check its permissions.")
    # An absolute path cannot be taken for a protocol ("name:..."), and a literal % must not become a pattern.
    return os.path.abspath(path), {"pattern_type": "none"} if "%" in path.name else {}


def _first_of_sequence(path: Path) -> tuple[str, dict[str, str]]:
    head, tail = (re.escape(part) for part in _PATTERN.split(path.name, maxsplit=1))
    numbered = re.compile(f"{head}(\\d+){tail}")
    numbers = []
    if path.parent.is_dir():
        numbers = [int(m[1]) for m in map(numbered.fullmatch, os.listdir(path.parent)) if m and len(m[1]) < 10]
    if not numbers:
        raise InputError(f"No file matches the image sequence '{path}'.")
    return os.path.abspath(path), {"start_number": str(min(numbers))}


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower().rstrip(".")


def video_stream(container: InputContainer, name: str) -> av.VideoStream:
    """The video stream to read: the default one, else the first; cover art does not count."""
    art = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & art]
    if not streams:
        what = "it has only audio" if container.streams.audio else "it has no picture"
        raise InputError(f"{name} has no video stream: {what}.")
    stream = next((s for s in streams if s.disposition & av.stream.Disposition.default), streams[0])
    if stream.codec_context is None:
        raise InputError(f"{name} is coded in a way that this FFmpeg cannot decode.")
    check_size(stream.codec_context.width, stream.codec_context.height, name)
    return stream


def check_size(width: int, height: int, name: str) -> None:
    """Refuse pictures beyond the limits before anything of their size is allocated."""
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        limit = f"at most {MAX_SIDE} a side and {MAX_PIXELS} pixels"
        raise InputError(f"{name} has pictures of {width}x{height}; {limit} are allowed.")


def seconds(ticks: int | None, time_base: Fraction | None) -> Fraction | None:
    """`ticks` of `time_base` as seconds, None when either is unknown."""
    return None if ticks is None or time_base is None else ticks * time_base
