"""Between integer arrays and the named streams of a container GOP: one payload of the entropy coder a stream.

A stream coded in passes is one payload, too; its symbols are read pass by pass.

Coder 2 alone does not see when its bytes end too early: an empty state goes on giving the lowest symbol of every table, for
nothing. Here those are so rare that many of them at the very end mean that bytes are missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.coders import Coder
from xvc_bitstream.errors import CoderError, DamagedError
from xvc_bitstream.pieces import NAME as TOKENS
from xvc_bitstream.pieces import Piece, join, split
from xvc_bitstream.records import Gop, Stream
from xvc_bitstream.tables import TableSet

from xvcodec.codec.family import CodedStream, OpenPiece, PassStream, PieceStream, ReadPass

Pass = tuple[NDArray[np.int32], NDArray[np.uint8]]
"""Symbols and the tables of each, 1-D."""
CONSTRICTION = 2  # id of the coder (SPEC.md, section 7)
FREE_BITS = 64.0
"""What the last symbols of a payload would have cost, at least, for it to count as cut short: a chance of 2^-64."""
RARE_BITS = 8.0
"""A lowest symbol that costs less is ordinary: it says nothing about missing bytes."""


def pack(streams: Sequence[CodedStream | PassStream | PieceStream], coder: Coder, tables: TableSet) -> tuple[Stream, ...]:
    """Entropy-code every stream; empty ones are left out."""
    ways: dict[type, Any] = {CodedStream: _pack, PassStream: _pack_passes, PieceStream: _pack_pieces}
    packed = [ways[type(stream)](stream, coder, tables) for stream in streams]
    return tuple(stream for stream in packed if stream.elements or stream.name == TOKENS)


def _pack(stream: CodedStream, coder: Coder, tables: TableSet) -> Stream:
    kept = stream.index >= stream.skip
    assert not stream.symbols[~kept].any(), "the quantiser must leave skipped symbols at zero"
    return Stream(stream.name, stream.symbols.shape, _encode([(stream.symbols[kept], stream.index[kept])], coder, tables))


def _pack_passes(stream: PassStream, coder: Coder, tables: TableSet) -> Stream:
    return Stream(stream.name, stream.shape, _encode(stream.passes, coder, stream.tables or tables))


def _pack_pieces(stream: PieceStream, coder: Coder, tables: TableSet) -> Stream:
    return join([Piece(each.level, each.scans, each.tokens, _encode(each.passes, coder, each.tables))
                 for each in stream.pieces])


def _encode(passes: Sequence[Pass], coder: Coder, tables: TableSet) -> bytes:
    if free_bits(passes, coder, tables) >= FREE_BITS:
        raise CoderError("a stream ends in so many lowest symbols that it would look cut short: use --coder torchac")
    return coder.encode_passes(passes, tables)


def free_bits(passes: Sequence[Pass], coder: Coder, tables: TableSet) -> float:
    """What the symbols that coder 2 reads last, all of them the lowest, should have cost in bits; they cost none."""
    if coder.id != CONSTRICTION:
        return 0.0
    cost = 16.0 - np.log2(tables.frequencies[:, 0].astype(np.float64))
    total = 0.0
    for symbols, index in reversed(passes):
        order = np.argsort(index, kind="stable")[::-1]  # the coder goes through a pass table by table
        run = ((symbols == tables.lowest) & (cost[index] >= RARE_BITS))[order]
        length = run.size if run.all() else int(np.argmin(run))
        total += float(cost[index[order[:length]]].sum())
        if length < run.size:
            break
    return total


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
        with self._read(stream.payload, self._tables) as read:
            symbols[kept] = read(index[kept])
        return symbols

    def rows(self, name: str) -> int:
        """The first of a stream's sizes, 0 where there is none of that name."""
        stream = self._streams.get(name)
        return stream.shape[0] if stream is not None and stream.shape else 0

    def passes(self, name: str, shape: tuple[int, ...], tables: TableSet | None = None) -> AbstractContextManager[ReadPass]:
        """Gives a function from the tables of the next symbols of stream `name` to these; all must be read in the end.

        Args:
            tables: of the stream, where it does not have the model's.
        Raises:
            DamagedError: the stream is missing or of another shape; CoderError: its bytes do not decode, end too early or
                are left over.
        """
        return self._read(self._named(name, shape).payload if math.prod(shape) else b"", tables or self._tables)

    def pieces(self, name: str, size: int) -> list[tuple[Piece, OpenPiece]]:
        """The pieces of a stream of tokens of `size` numbers: what each says of itself, and a function from its tables to
        what reads it as `passes` does.

        Raises:
            DamagedError: the stream is missing or of another shape; FormatError: its pieces contradict each other.
        """
        stream = self._streams.get(name)
        if stream is None or len(stream.shape) != 2 or stream.shape[1] != size:
            raise DamagedError(f"stream {name} is missing or has the wrong shape for this model: the file is damaged")
        return [(piece, partial(self._read, piece.payload)) for piece in split(stream)]

    @contextmanager
    def _read(self, payload: bytes, tables: TableSet) -> Iterator[ReadPass]:
        passes, done = self._coder.passes(payload, tables), list[Pass]()

        def read(index: NDArray[np.uint8]) -> NDArray[np.int32]:
            symbols = passes.read(index)
            done.append((symbols, index))
            return symbols

        yield read
        passes.end()
        if free_bits(done, self._coder, tables) >= FREE_BITS:
            raise CoderError("the payload ends before its symbols do; it is damaged or the tables are others")

    def _named(self, name: str, shape: tuple[int, ...]) -> Stream:
        stream = self._streams.get(name)
        if stream is None or stream.shape != shape:
            raise DamagedError(f"stream {name} is missing or has the wrong shape for this model: the file is damaged")
        return stream
