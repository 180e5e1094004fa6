"""The clips of a study: found, checked, hashed, and read as the same frames for every codec."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from xvcodec.errors import InputError, UsageError
from xvcodec.media import open_video
from xvcodec.media.types import Frame, VideoInfo

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".y4m")
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
INDEX = "index.jsonl"
_BROKEN = ("damaged", "do not decode")
"""In a warning of the reader: some of the frames that were asked for are not there."""


@dataclass(frozen=True)
class Clip:
    """A source, and how much of it is coded."""

    name: str  # unique in the study
    path: Path
    sha256: str  # of the file
    kind: Literal["video", "image"]
    info: VideoInfo
    frames: int  # that are coded, from the first one on
    seconds: float  # that they last
    cut: float | None  # where the first frame that is left out begins, in seconds from the first; None takes all
    caption: str = ""
    other: str = ""  # the caption of another clip, to measure what a wrong one costs

    @property
    def pixels(self) -> int:
        """Of all frames."""
        return self.info.width * self.info.height * self.frames

    def read(self) -> Generator[Frame, None, None]:
        """The frames, from the file."""
        with open_video(self.path, audio=False) as reader:
            yield from itertools.islice(reader.frames(), self.frames)


def find(places: Sequence[str | Path], frames: int | None = None, captions: bool = True) -> list[Clip]:
    """The clips that files and folders name, in their order, each file once.

    A folder gives the files that its index.jsonl lists ({"file": ..., "caption": ...} a line), or else all videos and
    pictures in it by name. A file takes its caption from the index.jsonl beside it. Captions are left out on demand.

    Raises:
        UsageError: nothing is named, or a folder holds nothing.
        InputError: a file is not there, cannot be decoded, or is damaged within the frames that are wanted.
    """
    files = list(dict.fromkeys(file for place in places for file in _files(Path(place))))
    if not files:
        raise UsageError("There are no clips: name video files, pictures, or folders of them.")
    names = _names(files)
    clips = [_scan(file, name, frames) for file, name in zip(files, names, strict=True)]
    if not captions:
        return clips
    texts = {folder: _captions(folder / INDEX) for folder in {file.parent for file in files}}
    given = [texts[file.parent].get(file.name, "") for file in files]
    return [replace(clip, caption=text, other=_other(given, number))
            for number, (clip, text) in enumerate(zip(clips, given, strict=True))]


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    if (place / INDEX).is_file():
        found = [place / name for name in _captions(place / INDEX)]
    else:
        found = sorted(file for file in place.iterdir() if file.suffix.lower() in VIDEOS + IMAGES and file.is_file())
    if not found:
        raise UsageError(f"The folder '{place}' holds no clips.")
    return found


def _captions(index: Path) -> dict[str, str]:
    """Captions by file name, in the order of the index; nothing where there is no index."""
    if not index.is_file():
        return {}
    found = {}
    for number, line in enumerate(index.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found[str(row["file"])] = str(row.get("caption") or "")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"Line {number} of '{index}' is not an object with a \"file\".") from None
    return found


def _other(captions: Sequence[str], number: int) -> str:
    """The next clip's caption that is another one."""
    rest = itertools.chain(captions[number + 1 :], captions[:number])
    return next((text for text in rest if text and text != captions[number]), "")


def _names(files: Iterable[Path]) -> list[str]:
    """Stems where they differ, else file names, else with their folders."""
    files = list(files)
    for spell in (lambda file: file.stem, lambda file: file.name, lambda file: f"{file.parent.name}/{file.stem}", str):
        names = [spell(file) for file in files]
        if len(set(names)) == len(names):
            break
    return names


def _scan(path: Path, name: str, limit: int | None) -> Clip:
    """Decode the frames once: their number, their length in time, and whether they are whole."""
    with open_video(path, audio=False) as reader:
        count, first, last, cut = 0, 0, 0, None
        base = reader.info.time_base
        for frame in reader.frames():
            first = frame.pts if count == 0 else first
            if count == limit:
                cut = float((frame.pts - first) * base)
                break
            count, last = count + 1, frame.pts + frame.duration
        if broken := [text for text in reader.warnings if any(word in text for word in _BROKEN)]:
            raise InputError(f"'{path}' cannot be the source of a study: {broken[0]}.")
        info = reader.info
    kind: Literal["video", "image"] = "image" if path.suffix.lower() in IMAGES and count == 1 else "video"
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Clip(name, path, digest, kind, info, count, float((last - first) * base), cut)
