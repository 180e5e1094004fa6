"""What every entropy coder does alike: checks, escapes, framing. One subclass a coder codes table entries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import limits
from ..errors import CoderError, FormatError, UsageError
from ..tables import TableSet
from ..wire import Cursor, put_blob
from .escape import join, split


class Coder(ABC):
    """An entropy coder: `encode` and `decode`, inverse to each other for every int32 input."""

    id: ClassVar[int]  # what the file header says
    name: ClassVar[str]

    def encode(self, symbols: NDArray[np.int32], index: NDArray[np.uint8], tables: TableSet) -> bytes:
        """Code `symbols`, int32 [n], each with the table that `index`, uint8 [n], names.

        No symbols make no bytes. Raises UsageError for wrong arrays, CoderError when the coder cannot run.
        """
        index = _checked_index(index, tables)
        symbols = _checked(symbols, np.int32, "symbols")
        if symbols.shape != index.shape:
            raise UsageError(f"{symbols.size} symbols need as many table indices, not {index.size}")
        if not symbols.size:
            return b""
        entries, section = split(symbols, tables)
        out = bytearray()
        put_blob(out, section)
        return bytes(out) + self._encode(entries, index, tables)

    def decode(self, data: bytes, index: NDArray[np.uint8], tables: TableSet) -> NDArray[np.int32]:
        """The symbols, int32 [n], that were coded with `index`, uint8 [n], and `tables`.

        Raises CoderError when `data` contradicts itself, UsageError for a wrong index.
        """
        index = _checked_index(index, tables)
        if not index.size:
            if data:
                raise CoderError("the payload should be empty")
            return np.zeros(0, np.int32)
        cursor = Cursor(data, "the payload of the entropy coder")
        try:
            section = cursor.blob(5 * index.size, "the escapes")
        except FormatError as error:
            raise CoderError(str(error)) from None
        return join(self._decode(data[cursor.position :], index, tables), section, tables)

    @abstractmethod
    def _encode(self, entries: NDArray[np.int32], index: NDArray[np.uint8], tables: TableSet) -> bytes:
        """Code table entries, int32 [n > 0] in 0..tables.symbols-1."""

    @abstractmethod
    def _decode(self, data: bytes, index: NDArray[np.uint8], tables: TableSet) -> NDArray[np.int32]:
        """The table entries, int32 [n > 0]. Raises CoderError."""


def bits(symbols: NDArray[np.int32], index: NDArray[np.uint8], tables: TableSet) -> float:
    """What an ideal coder needs for `symbols`, int32 [n], in bits, the bytes of escaped values included."""
    index = _checked_index(index, tables)
    entries, section = split(_checked(symbols, np.int32, "symbols"), tables)
    cost = 16 - np.log2(tables.frequencies.astype(np.float64))
    return float(cost[index, entries].sum() + 8 * len(section))


def _checked_index(index: Any, tables: TableSet) -> NDArray[np.uint8]:
    array = _checked(index, np.uint8, "table indices")
    if array.size > limits.MAX_ELEMENTS:
        raise UsageError("more than 2^29 symbols in one call")
    if array.size and int(array.max()) >= len(tables):
        raise UsageError(f"a table index is {array.max()}, but there are {len(tables)} tables")
    return array


def _checked(array: Any, dtype: type[np.generic], name: str) -> NDArray[Any]:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
        raise UsageError(f"{name} must be a one-dimensional numpy array of {np.dtype(dtype).name}")
    return np.ascontiguousarray(array)
