"""Codecs as people name them (`crossmodal:preset=slow`, `libx265:preset=medium`), and what a study asks of one."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xvcodec.errors import UsageError
from xvcodec.media.types import Frame

from .clips import Clip
from .ladder import Scale


@dataclass(frozen=True)
class Conditions:
    """What is the same for every point of a study."""

    gop: int = 32  # most frames from one key frame to the next
    threads: int = 1
    timed: bool = True  # one job at a time, on `threads` cores


@dataclass(frozen=True)
class Coded:
    """What lies in a coded file."""

    bytes: int  # of the file
    overhead: int  # bytes of it that belong to the container, not to pictures


class Codec(ABC):
    """An encoder with its options. Pickles, so that jobs can run in processes of their own."""

    name: str  # unique in the study, and what results.json calls it
    kind: Literal["xvc", "ffmpeg"]
    version: str  # changes when the same input may give other bytes
    setting: str  # what its quality setting is called
    fixed: tuple[float, ...] | None  # settings that the specification gives with crf=a,b,c

    @abstractmethod
    def scale(self) -> Scale:
        """The range of the quality setting."""

    @abstractmethod
    def suffix(self, clip: Clip) -> str:
        """Of the files that it writes."""

    @abstractmethod
    def identity(self, clip: Clip, setting: float, conditions: Conditions) -> dict[str, str]:
        """What, besides its arguments, name and version, decides about the bytes."""

    @abstractmethod
    def check(self, clip: Clip, conditions: Conditions) -> None:
        """Raise XvcError where it is plain at once that this clip cannot be coded."""

    @abstractmethod
    def encode(self, clip: Clip, setting: float, target: Path, conditions: Conditions) -> None:
        """Write `target`, completely or not at all. Raises XvcError or OSError."""

    @abstractmethod
    def decode(self, file: Path, clip: Clip) -> Generator[Frame, None, None]:
        """The frames of a file that `encode` wrote. Raises XvcError."""

    @abstractmethod
    def inspect(self, file: Path, conditions: Conditions) -> Coded:
        """Sizes of a coded file. Raises XvcError when its key frames lie further apart than asked for."""

    def warm(self, clip: Clip, conditions: Conditions, folder: Path) -> None:
        """Load what is loaded once a process, so that it is not counted as the time of the first clip."""
        return


def parse(spec: str) -> Codec:
    """The codec of `NAME[:key=value...]`; a colon inside a value is written with a backslash before it.

    NAME is a model of xvc, a .safetensors file, or a video encoder of FFmpeg. The key `crf` takes a list of settings.

    Raises:
        UsageError: there is no such codec or option.
        XvcError: the weights cannot be loaded.
    """
    from xvcodec.models.weights import shipped

    from .codec_ffmpeg import FfmpegCodec
    from .codec_xvc import XvcCodec

    name, options, fixed = split(spec)
    if name.endswith(".safetensors") or name in shipped():
        return XvcCodec(name, options, fixed)
    return FfmpegCodec(name, options, fixed)


def split(spec: str) -> tuple[str, dict[str, str], tuple[float, ...] | None]:
    """Name, options without `crf`, and the list that was given as `crf`."""
    name, *pairs = (part.replace(r"\:", ":") for part in re.split(r"(?<!\\):", spec.strip()))
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals and value):
            raise UsageError(f"--codec '{spec}': '{pair}' is not key=value.")
        if key in options:
            raise UsageError(f"--codec '{spec}' gives {key} twice.")
        options[key] = value
    if not name:
        raise UsageError(f"--codec '{spec}' names no codec.")
    fixed = options.pop("crf", None)
    return name, options, None if fixed is None else settings(fixed, f"crf of --codec '{spec}'")


def settings(text: str, what: str = "--crf") -> tuple[float, ...]:
    """`a,b,c` as numbers, each once, rising."""
    try:
        values = sorted({float(part) for part in text.split(",")})
    except ValueError:
        values = []
    if not values or not all(0.0 <= value <= 1000.0 for value in values):
        raise UsageError(f"{what} is '{text}', but must be a list of numbers such as 22,27,32,37.")
    return tuple(values)


def joined(name: str, options: dict[str, str]) -> str:
    """The specification again, without settings."""
    return ":".join([name, *(f"{key}={value}".replace(":", r"\:") for key, value in options.items())])


def parse_all(specs: Sequence[str]) -> list[Codec]:
    """Every codec; UsageError when there is none, or one twice."""
    if not specs:
        raise UsageError("There is no codec to study: give --codec, for example --codec crossmodal.")
    codecs = [parse(spec) for spec in specs]
    names = [codec.name for codec in codecs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"--codec {twice[0]} is given twice; several settings go into one: crf=22,27,32,37.")
    return codecs
