"""Random access to the bytes of a file, whatever it was opened from."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from typing import IO, BinaryIO, cast

SPOOL_MEMORY = 1 << 24
"""Bytes of a pipe that are held in memory before the rest goes to a temporary file."""


class Source:
    """Reads ranges of a file; safe to share between threads.

    Pipes are copied to a temporary file first (in memory while they are small), so that one reader does all.
    """

    def __init__(self, target: str | os.PathLike[str] | BinaryIO) -> None:
        self._lock = threading.Lock()
        self._owned = isinstance(target, (str, os.PathLike))
        file: IO[bytes] = open(target, "rb") if self._owned else cast(BinaryIO, target)  # type: ignore[arg-type]  # noqa: SIM115
        if not _seekable(file):
            pipe, file = file, tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)  # noqa: SIM115
            shutil.copyfileobj(pipe, file, 1 << 20)
            if self._owned:
                pipe.close()
            self._owned = True
        self._file = file
        self.size = self._file.seek(0, os.SEEK_END)

    def read_at(self, offset: int, count: int) -> bytes:
        """The bytes offset..offset+count, fewer where the file ends."""
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        parts = []
        with self._lock:
            self._file.seek(offset)
            while count and (part := self._file.read(count)):
                parts.append(part)
                count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._owned:
            self._file.close()


def _seekable(file: IO[bytes]) -> bool:
    try:
        return bool(file.seekable())
    except AttributeError:
        return hasattr(file, "seek")
