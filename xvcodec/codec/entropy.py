"""Between integer arrays and the named streams of a container GOP: one payload of the entropy coder a stream.

A stream coded in passes is one payload, too; its symbols are read pass by pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.coders import Coder
from xvc_bitstream.errors import DamagedError
from xvc_bitstream.records import Gop, Stream
from xvc_bitstream.tables import TableSet

from xvcodec.codec.family import CodedStream, PassStream


def pack(streams: Sequence[CodedStream | PassStream], coder: Coder, tables: TableSet) -> tuple[Stream, ...]:
    """Entropy-code every stream; empty ones are left out."""
    packed = [_pack_passes(stream, coder, tables) if isinstance(stream, PassStream) else _pack(stream, coder, tables)
              for stream in streams]
    return tuple(stream for stream in packed if stream.elements)


def _pack(stream: CodedStream, coder: Coder, tables: TableSet) -> Stream:
    kept = stream.index >= stream.skip
    assert not stream.symbols[~kept].any(), "the quantiser must leave skipped symbols at zero"
    return Stream(stream.name, stream.symbols.shape, coder.encode(stream.symbols[kept], stream.index[kept], tables))


def _pack_passes(stream: PassStream, coder: Coder, tables: TableSet) -> Stream:
    return Stream(stream.name, stream.shape, coder.encode_passes(stream.passes, tables))


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
        symbols[kept] = self._coder.decode(stream.payload, index[kept], self._tables)
        return symbols

    @contextmanager
    def passes(self, name: str, shape: tuple[int, ...]) -> Iterator[Callable[[NDArray[np.uint8]], NDArray[np.int32]]]:
        """Gives a function from the tables of the next symbols of stream `name` to these; all must be read in the end.

        Raises:
            DamagedError: the stream is missing or of another shape; CoderError: its bytes do not decode, or are left over.
        """
        payload = self._named(name, shape).payload if math.prod(shape) else b""
        passes = self._coder.passes(payload, self._tables)
        yield passes.read
        passes.end()

    def _named(self, name: str, shape: tuple[int, ...]) -> Stream:
        stream = self._streams.get(name)
        if stream is None or stream.shape != shape:
            raise DamagedError(f"stream {name} is missing or has the wrong shape for this model: the file is damaged")
        return stream
