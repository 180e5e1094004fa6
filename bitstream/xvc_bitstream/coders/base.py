"""What every entropy coder does alike: checks, escapes, framing. One subclass a coder codes table entries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import limits
from ..errors import CoderError, FormatError, UsageError
from ..tables import TableSet
from ..wire import Cursor, put_blob
from .escape import join, parse, split

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]


class Entries(ABC):
    """Reads table entries of one payload, some at a time."""

    @abstractmethod
    def read(self, index: Bytes) -> Ints:
        """The next table entries, int32 [n > 0], coded with tables `index`. Raises CoderError."""

    @abstractmethod
    def end(self) -> None:
        """Raises CoderError unless the payload ends where its entries end."""


class Passes:
    """The symbols of one payload, read in passes: the tables of each may depend on all symbols before it."""

    def __init__(self, coder: Coder, data: bytes, tables: TableSet) -> None:
        cursor = Cursor(data, "the payload of the entropy coder")
        try:
            escapes = cursor.blob(len(data), "the escapes") if data else b""
        except FormatError as error:
            raise CoderError(str(error)) from None
        self._escapes, self._escaped = parse(escapes, tables), 0
        self._entries = coder._entries(data[cursor.position :], tables) if data else None
        self._tables = tables

    def read(self, index: Bytes) -> Ints:
        """The next symbols, int32 [n], coded with tables `index`, uint8 [n].

        Raises CoderError when the payload contradicts itself, UsageError for a wrong index.
        """
        index = _checked_index(index, self._tables)
        if not index.size:
            return np.zeros(0, np.int32)
        if self._entries is None:
            raise CoderError("the payload is empty, but it should hold symbols")
        symbols, used = join(self._entries.read(index), self._escapes[self._escaped :], self._tables)
        self._escaped += used
        return symbols

    def end(self) -> None:
        """Raises CoderError unless the payload ends where its symbols end."""
        if self._escaped != self._escapes.size:
            raise CoderError(f"the payload has escapes for {self._escapes.size} symbols, but {self._escaped} need one")
        if self._entries is not None:
            self._entries.end()


class Coder(ABC):
    """An entropy coder: `encode` and `decode`, inverse to each other for every int32 input."""

    id: ClassVar[int]  # what the file header says
    name: ClassVar[str]

    def encode(self, symbols: Ints, index: Bytes, tables: TableSet) -> bytes:
        """Code `symbols`, int32 [n], each with the table that `index`, uint8 [n], names.

        No symbols make no bytes. Raises UsageError for wrong arrays, CoderError when the coder cannot run.
        """
        return self.encode_passes([(symbols, index)], tables)

    def encode_passes(self, passes: Sequence[tuple[Ints, Bytes]], tables: TableSet) -> bytes:
        """Code pairs of symbols and their tables into one payload, so that they can be read one after the other."""
        parts, section = [], b""
        for symbols, index in passes:
            index = _checked_index(index, tables)
            symbols = _checked(symbols, np.int32, "symbols")
            if symbols.shape != index.shape:
                raise UsageError(f"{symbols.size} symbols need as many table indices, not {index.size}")
            if symbols.size:
                entries, escapes = split(symbols, tables)
                parts.append((entries, index))
                section += escapes
        if not parts:
            return b""
        out = bytearray()
        put_blob(out, section)
        return bytes(out) + self._encode(parts, tables)

    def decode(self, data: bytes, index: Bytes, tables: TableSet) -> Ints:
        """The symbols, int32 [n], that were coded with `index`, uint8 [n], and `tables`.

        Raises CoderError when `data` contradicts itself, UsageError for a wrong index.
        """
        index = _checked_index(index, tables)
        if data and not index.size:
            raise CoderError("the payload should be empty")
        passes = self.passes(data, tables)
        symbols = passes.read(index)
        passes.end()
        return symbols

    def passes(self, data: bytes, tables: TableSet) -> Passes:
        """What reads `data` pass by pass. Raises CoderError when its escapes are damaged."""
        return Passes(self, data, tables)

    @abstractmethod
    def _encode(self, parts: Sequence[tuple[Ints, Bytes]], tables: TableSet) -> bytes:
        """Code table entries, int32 [n > 0] in 0..tables.symbols-1, with their tables, part after part."""

    @abstractmethod
    def _entries(self, data: bytes, tables: TableSet) -> Entries:
        """The reader of what `_encode` wrote. Raises CoderError."""


def bits(symbols: Ints, index: Bytes, tables: TableSet) -> float:
    """What an ideal coder needs for `symbols`, int32 [n], in bits, the bytes of escaped values included."""
    index = _checked_index(index, tables)
    entries, section = split(_checked(symbols, np.int32, "symbols"), tables)
    cost = 16 - np.log2(tables.frequencies.astype(np.float64))
    return float(cost[index, entries].sum() + 8 * len(section))


def _checked_index(index: Any, tables: TableSet) -> Bytes:
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
