"""What every writer has in common: the interface, and outputs that appear only when they are complete."""

from __future__ import annotations

import os
import secrets
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from xvc_bitstream.records import AudioPacket

from xvcodec.errors import OutputError

from .types import Frame


class VideoWriter(ABC):
    """Takes frames and audio packets in time order; as a context manager it aborts when an error passes through."""

    def __init__(self) -> None:
        self.warnings: list[str] = []  # what the output cannot hold, one sentence each

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Append a frame whose pts is greater than that of the frame before; raises OutputError."""

    def audio(self, packet: AudioPacket) -> None:
        """Append an audio packet, untouched; outputs that hold no sound leave it out (and said so in `warnings`)."""
        return  # most outputs hold pictures only

    @abstractmethod
    def close(self) -> None:
        """Complete the output; only now does it appear under its name. Raises OutputError."""

    @abstractmethod
    def abort(self) -> None:
        """Give up and leave nothing behind; safe to call at any time, also after `close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class Placeholder:
    """A temporary name beside `target` (a file, or a folder for sequences) that becomes the target when complete."""

    def __init__(self, target: Path) -> None:
        parent = target.parent
        if not parent.is_dir():
            raise OutputError(f"There is no folder '{parent}' to write into.")
        if target.is_dir():
            raise OutputError(f"'{target}' is a folder; name a file.")
        if not os.access(parent, os.W_OK):
            raise OutputError(f"The folder '{parent}' may not be written to.")
        self.target = target
        self.path = parent / f".{target.name[:80].replace('%', '_')}.{secrets.token_hex(4)}.part"

    def commit(self) -> None:
        """Rename the temporary file to the target."""
        try:
            os.replace(self.path, self.target)
        except OSError as error:
            self.discard()
            raise OutputError(f"'{self.target}' cannot be written ({reason(error)}).") from error

    def discard(self) -> None:
        """Remove the temporary file or folder if it is there."""
        if self.path.is_dir():
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.path.unlink(missing_ok=True)


def reason(error: Exception) -> str:
    """The cause in an exception of FFmpeg or the system, as the end of a sentence."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower().rstrip(".")
