"""Write YUV4MPEG2 (`.y4m`, or a pipe): planes as they are, at a constant frame rate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from xvcodec.errors import OutputError

from .sink import Placeholder, VideoWriter, reason
from .types import Frame, VideoInfo

_SITING = {1: "420mpeg2", 2: "420jpeg"}


def header(info: VideoInfo) -> bytes:
    """The stream header for video of `info`; 10 bits are written as C420p10, two bytes a sample, little endian."""
    layout = "420p10 XYSCSS=420P10" if info.bit_depth == 10 else _SITING.get(info.chroma_location, "420")
    rate, sar = info.frame_rate, info.sar
    aspect = f"{sar.numerator}:{sar.denominator}" if sar else "0:0"
    levels = "FULL" if info.full_range else "LIMITED"
    text = (
        f"YUV4MPEG2 W{info.width} H{info.height} F{rate.numerator}:{rate.denominator} Ip A{aspect} C{layout} "
        f"XCOLORRANGE={levels}\n"
    )
    return text.encode("ascii")


class Y4mWriter(VideoWriter):
    """y4m to a path, to `-` (the standard output), or to a binary file object, which is not closed."""

    def __init__(self, target: Path | IO[bytes] | None, info: VideoInfo) -> None:
        super().__init__()
        self._info, self._place = info, None
        self._begun = False
        if isinstance(target, Path):
            self._place = Placeholder(target)
            try:
                self._file: IO[bytes] = open(self._place.path, "wb")  # noqa: SIM115 - closed by close or abort
            except OSError as error:
                raise OutputError(f"'{target}' cannot be written ({reason(error)}).") from error
        else:
            self._file = sys.stdout.buffer if target is None else target

    def write(self, frame: Frame) -> None:
        """Append a frame; its time is its place, since y4m knows no timestamps."""
        little = "<u2" if self._info.bit_depth == 10 else "u1"
        start = b"" if self._begun else header(self._info)
        self._begun = True
        self._put(start + b"FRAME\n" + b"".join(plane.astype(little, copy=False).tobytes() for plane in frame.planes))

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except (OSError, ValueError) as error:
            self.abort()
            broken = isinstance(error, BrokenPipeError)
            raise OutputError(
                "The program that reads the output has closed the pipe." if broken
                else f"The output cannot be written ({reason(error)})."
            ) from error  # fmt: skip

    def close(self) -> None:
        """Complete the stream; a stream without frames is only its header."""
        if not self._begun:
            self._begun = True
            self._put(header(self._info))
        try:
            self._file.flush()
            if self._place:
                self._file.close()
        except (OSError, ValueError) as error:
            self.abort()
            raise OutputError(f"The output cannot be written ({reason(error)}).") from error
        if self._place:
            self._place.commit()

    def abort(self) -> None:
        """Remove what a file has got so far; a pipe just ends."""
        if self._place:
            self._file.close()
            self._place.discard()
