"""What can go wrong with bytes: one class per kind, each with one clear sentence."""

from __future__ import annotations


class BitstreamError(ValueError):
    """Base of everything this package raises on purpose."""


class FormatError(BitstreamError):
    """The bytes are not an `.xvc` stream that this version can read."""


class DamagedError(BitstreamError):
    """A chunk of an otherwise readable file is broken.

    `offset` is the chunk's first byte in the file, `chunk_type` its four letters and `gop_index` the
    number of the GOP it holds (None when it holds none).
    """

    def __init__(self, message: str, offset: int = 0, chunk_type: str = "", gop_index: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.chunk_type = chunk_type
        self.gop_index = gop_index


class UsageError(BitstreamError):
    """The caller asked for something that the format cannot hold."""


class CoderError(BitstreamError):
    """An entropy coder is missing, or its payload contradicts itself."""
