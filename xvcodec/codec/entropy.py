"""Between integer arrays and the named streams of a container GOP: one entropy-coder call a stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xvc_bitstream.coders import Coder
from xvc_bitstream.errors import DamagedError
from xvc_bitstream.records import Gop, Stream
from xvc_bitstream.tables import TableSet
from xvcodec.codec.family import CodedStream


def pack(streams: Sequence[CodedStream], coder: Coder, tables: TableSet) -> tuple[Stream, ...]:
    """Entropy-code every stream; empty ones are left out."""
    return tuple(Stream(stream.name, stream.symbols.shape,
                        coder.encode(stream.symbols.reshape(-1), stream.index.reshape(-1), tables))
                 for stream in streams if stream.symbols.size)


class StreamReader:
    """Reads the streams of one GOP by name, checking that each has the shape the model expects."""

    def __init__(self, gop: Gop, coder: Coder, tables: TableSet) -> None:
        self._streams = {stream.name: stream for stream in gop.streams}
        self._coder, self._tables = coder, tables
        self.symbols = 0

    def __call__(self, name: str, index: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Symbols of stream `name`, in the shape of `index`.

        Raises:
            DamagedError: the stream is missing or of another shape; CoderError: its bytes do not decode.
        """
        if not index.size:
            return np.zeros(index.shape, np.int32)
        stream = self._streams.get(name)
        if stream is None or stream.shape != index.shape:
            raise DamagedError(f"stream {name} is missing or has the wrong shape for this model: the file is damaged")
        self.symbols += index.size
        return self._coder.decode(stream.payload, index.reshape(-1), self._tables).reshape(index.shape)
