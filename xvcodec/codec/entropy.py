"""Between integer arrays and the named streams of a container GOP: one entropy-coder call a stream.

A stream coded in passes (motion fields) takes one call a pass; its payload is the bytes of each behind their length.

Coder 2 alone does not see when its bytes end too early: an empty state goes on giving the lowest symbol of every table, for
nothing. Here those are so rare that many of them at the very end mean that bytes are missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.coders import Coder
from xvc_bitstream.errors import CoderError, DamagedError
from xvc_bitstream.limits import MAX_CHUNK
from xvc_bitstream.records import Gop, Stream
from xvc_bitstream.tables import TableSet
from xvc_bitstream.wire import Cursor, put_blob

from xvcodec.codec.family import CodedStream, PassStream

CONSTRICTION = 2  # id of the coder (SPEC.md, section 7)
FREE_BITS = 64.0
"""What the last symbols of a payload would have cost, at least, for it to count as cut short: a chance of 2^-64."""
RARE_BITS = 8.0
"""A lowest symbol that costs less is ordinary: it says nothing about missing bytes."""


def pack(streams: Sequence[CodedStream | PassStream], coder: Coder, tables: TableSet) -> tuple[Stream, ...]:
    """Entropy-code every stream; empty ones are left out."""
    packed = [_pack_passes(stream, coder, tables) if isinstance(stream, PassStream) else _pack(stream, coder, tables)
              for stream in streams]
    return tuple(stream for stream in packed if stream.elements)


def _pack(stream: CodedStream, coder: Coder, tables: TableSet) -> Stream:
    kept = stream.index >= stream.skip
    assert not stream.symbols[~kept].any(), "the quantiser must leave skipped symbols at zero"
    return Stream(stream.name, stream.symbols.shape, _encode(stream.symbols[kept], stream.index[kept], coder, tables))


def _pack_passes(stream: PassStream, coder: Coder, tables: TableSet) -> Stream:
    payload = bytearray()
    for symbols, index in stream.passes:
        if index.size:  # a decoder does not ask for a pass without symbols
            put_blob(payload, _encode(symbols, index, coder, tables))
    return Stream(stream.name, stream.shape, bytes(payload))


def _encode(symbols: NDArray[np.int32], index: NDArray[np.uint8], coder: Coder, tables: TableSet) -> bytes:
    if free_bits(symbols, index, coder, tables) >= FREE_BITS:
        raise CoderError("a stream ends in so many lowest symbols that it would look cut short: use --coder torchac")
    return coder.encode(symbols, index, tables)


def _decode(data: bytes, index: NDArray[np.uint8], coder: Coder, tables: TableSet) -> NDArray[np.int32]:
    symbols = coder.decode(data, index, tables)
    if free_bits(symbols, index, coder, tables) >= FREE_BITS:
        raise CoderError("the payload ends before its symbols do; it is damaged or the tables are others")
    return symbols


def free_bits(symbols: NDArray[np.int32], index: NDArray[np.uint8], coder: Coder, tables: TableSet) -> float:
    """What the symbols that coder 2 reads last, all of them the lowest, should have cost in bits; they cost none.

    Args:
        symbols: int32 [n]; index: uint8 [n], the table of each.
    """
    if coder.id != CONSTRICTION:
        return 0.0
    lowest = symbols == tables.lowest
    if not lowest.any():
        return 0.0
    cost = 16.0 - np.log2(tables.frequencies[:, 0].astype(np.float64))
    order = np.argsort(index, kind="stable")[::-1]
    run = (lowest & (cost[index] >= RARE_BITS))[order]
    length = len(run) if run.all() else int(np.argmin(run))
    return float(cost[index[order[:length]]].sum())


class StreamReader:
    """Reads the streams of one GOP by name, checking that each has the shape the model expects."""

    def __init__(self, gop: Gop, coder: Coder, tables: TableSet) -> None:
        self._streams = {stream.name: stream for stream in gop.streams}
        self._coder, self._tables = coder, tables

    def __call__(self, name: str, index: NDArray[np.uint8], skip: int = 0) -> NDArray[np.int32]:
        """Symbols of stream `name`, in the shape of `index`; those with a table below `skip` are zero.

        Raises:
            DamagedError: the stream is missing or of another shape; CoderError: its bytes do not decode.
        """
        if not index.size:
            return np.zeros(index.shape, np.int32)
        stream = self._named(name, index.shape)
        kept = index >= skip
        symbols = np.zeros(index.shape, np.int32)
        symbols[kept] = _decode(stream.payload, index[kept], self._coder, self._tables)
        return symbols

    def passes(self, name: str, shape: tuple[int, ...]) -> Callable[[int, NDArray[np.uint8]], NDArray[np.int32]]:
        """A function that decodes the passes of stream `name` one after the other."""
        cursor = Cursor(self._named(name, shape).payload if math.prod(shape) else b"", f"stream {name}")

        def read(number: int, index: NDArray[np.uint8]) -> NDArray[np.int32]:
            return _decode(cursor.blob(MAX_CHUNK) if math.prod(shape) else b"", index, self._coder, self._tables)

        return read

    def _named(self, name: str, shape: tuple[int, ...]) -> Stream:
        stream = self._streams.get(name)
        if stream is None or stream.shape != shape:
            raise DamagedError(f"stream {name} is missing or has the wrong shape for this model: the file is damaged")
        return stream
