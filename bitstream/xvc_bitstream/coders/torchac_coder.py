"""Coder 1: the arithmetic coder of torchac, fed with integer tables only.

torchac checks nothing: a wrong bit gives other symbols and no error. So the decoded entries carry a CRC-32.
It also needs one table row a symbol, so symbols are coded in slices whose rows stay near 32 MiB (and far below
the 2^31 entries at which its int32 offsets would overflow).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CoderError, FormatError
from ..tables import TableSet
from ..wire import Cursor, put_blob
from .base import Bytes, Coder, Entries, Ints
from .torchac_build import load_backend

SLICE_ENTRIES = 1 << 24
"""Table entries of one slice: floor(2^24 / (symbols + 1)) symbols each. Part of the format."""


class TorchacCoder(Coder):
    """32-bit interval, 16-bit probabilities (SPEC.md, section 7.4)."""

    id = 1
    name = "torchac"

    def _encode(self, parts: Sequence[tuple[Ints, Bytes]], tables: TableSet) -> bytes:
        backend = load_backend()
        import torch

        rows = _rows(tables)
        out, crc = bytearray(), 0
        for entries, index in parts:
            symbols = entries.astype("<i2")
            crc = zlib.crc32(symbols.tobytes(), crc)
            for part in _slices(index, tables):
                cdf = torch.from_numpy(rows[index[part]])
                put_blob(out, backend.encode_cdf(cdf, torch.from_numpy(symbols[part].astype(np.int16))))
        return bytes(out) + crc.to_bytes(4, "little")

    def _entries(self, data: bytes, tables: TableSet) -> Entries:
        return _Slices(data, tables)


class _Slices(Entries):
    def __init__(self, data: bytes, tables: TableSet) -> None:
        self._cursor, self._tables, self._rows = Cursor(data, "the torchac payload"), tables, _rows(tables)
        self._limit, self._crc = len(data), 0

    def read(self, index: Bytes) -> Ints:
        symbols = np.empty(index.size, "<i2")
        try:
            parts = [(part, self._cursor.blob(self._limit, "a slice")) for part in _slices(index, self._tables)]
        except FormatError as error:
            raise CoderError(str(error)) from None
        backend = load_backend()
        import torch

        for part, coded in parts:
            symbols[part] = backend.decode_cdf(torch.from_numpy(self._rows[index[part]]), coded).numpy()
        self._crc = zlib.crc32(symbols.tobytes(), self._crc)
        return symbols.astype(np.int32)

    def end(self) -> None:
        try:
            crc = self._cursor.fixed(4)
            self._cursor.end()
        except FormatError as error:
            raise CoderError(str(error)) from None
        if self._crc != crc:
            raise CoderError("the symbols do not match their CRC; the payload is damaged or the tables are others")


def _rows(tables: TableSet) -> NDArray[Any]:
    """The cumulative counts as torchac wants them: int16 [tables, symbols + 1], bits of a uint16, 65536 as 0."""
    return (tables.cdf & 0xFFFF).astype(np.uint16).view(np.int16)


def _slices(index: NDArray[np.uint8], tables: TableSet) -> Iterator[slice]:
    step = SLICE_ENTRIES // (tables.symbols + 1)
    return (slice(start, min(start + step, index.size)) for start in range(0, index.size, step))
