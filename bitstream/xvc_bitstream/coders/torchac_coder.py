"""Coder 1: the arithmetic coder of torchac, fed with integer tables only.

torchac checks nothing: a wrong bit gives other symbols and no error. So the decoded entries carry a CRC-32.
It also needs one table row a symbol, so symbols are coded in slices whose rows stay near 32 MiB (and far below
the 2^31 entries at which its int32 offsets would overflow).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CoderError, FormatError
from ..tables import TableSet
from ..wire import Cursor, put_blob
from .base import Coder
from .torchac_build import load_backend

SLICE_ENTRIES = 1 << 24
"""Table entries of one slice: floor(2^24 / (symbols + 1)) symbols each. Part of the format."""


class TorchacCoder(Coder):
    """32-bit interval, 16-bit probabilities (SPEC.md, section 7.4)."""

    id = 1
    name = "torchac"

    def _encode(self, entries: NDArray[np.int32], index: NDArray[np.uint8], tables: TableSet) -> bytes:
        backend = load_backend()
        import torch

        rows = _rows(tables)
        symbols = entries.astype("<i2")
        out = bytearray()
        for part in _slices(index, tables):
            cdf = torch.from_numpy(rows[index[part]])
            put_blob(out, backend.encode_cdf(cdf, torch.from_numpy(symbols[part].astype(np.int16))))
        return bytes(out) + zlib.crc32(symbols.tobytes()).to_bytes(4, "little")

    def _decode(self, data: bytes, index: NDArray[np.uint8], tables: TableSet) -> NDArray[np.int32]:
        cursor = Cursor(data, "the torchac payload")
        symbols = np.empty(index.size, "<i2")
        rows = _rows(tables)
        try:
            parts = [(part, cursor.blob(len(data), "a slice")) for part in _slices(index, tables)]
            crc = cursor.fixed(4)
            cursor.end()
        except FormatError as error:
            raise CoderError(str(error)) from None
        backend = load_backend()
        import torch

        for part, coded in parts:
            symbols[part] = backend.decode_cdf(torch.from_numpy(rows[index[part]]), coded).numpy()
        if zlib.crc32(symbols.tobytes()) != crc:
            raise CoderError("the symbols do not match their CRC; the payload is damaged or the tables are others")
        return symbols.astype(np.int32)


def _rows(tables: TableSet) -> NDArray[Any]:
    """The cumulative counts as torchac wants them: int16 [tables, symbols + 1], bits of a uint16, 65536 as 0."""
    return (tables.cdf & 0xFFFF).astype(np.uint16).view(np.int16)


def _slices(index: NDArray[np.uint8], tables: TableSet) -> Iterator[slice]:
    step = SLICE_ENTRIES // (tables.symbols + 1)
    return (slice(start, min(start + step, index.size)) for start in range(0, index.size, step))
