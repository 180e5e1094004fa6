"""The part that both coders share: symbols to table entries, and values outside the alphabet.

A value v above the alphabet becomes 2 * (v - highest - 1), one below becomes 2 * (lowest - 1 - v) + 1; these are
written as unsigned LEB128 in the order of the symbols. So no escape can stand for a value the table has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import CoderError
from ..tables import TableSet

_MAX_BYTES = 5  # of one escape: |v| < 2^31 makes codes below 2^33, and 5 * 7 = 35


def split(symbols: NDArray[np.int32], tables: TableSet) -> tuple[NDArray[np.int32], bytes]:
    """Table entries, int32 [n] in 0..symbols-1, and the escape section for int32 `symbols` [n]."""
    with np.errstate(over="ignore"):
        distance = (symbols - np.int32(tables.lowest)).view(np.uint32)  # wraps: outside the alphabet is above it
    entries = np.minimum(distance, np.uint32(tables.escape)).view(np.int32)
    outside = symbols[entries == tables.escape]
    return entries, escape_bytes(outside, tables) if outside.size else b""


def join(entries: NDArray[np.int32], escapes: NDArray[np.int32], tables: TableSet) -> tuple[NDArray[np.int32], int]:
    """The symbols, int32 [n], and how many of `escapes` they took; inverse of `split`. Raises CoderError if too few."""
    places = np.flatnonzero(entries == tables.escape)
    if places.size > escapes.size:
        raise CoderError("the payload has fewer escapes than its symbols need")
    symbols = entries + np.int32(tables.lowest)
    symbols[places] = escapes[: places.size]
    return symbols, int(places.size)


def escape_bytes(values: NDArray[np.int32], tables: TableSet) -> bytes:
    """The escape section for `values`, int32 [k], all outside the alphabet."""
    wide = values.astype(np.int64)
    codes = np.where(wide > tables.highest, 2 * (wide - tables.highest - 1), 2 * (tables.lowest - 1 - wide) + 1)
    shifted = codes[:, None] >> (7 * np.arange(_MAX_BYTES))
    more = shifted >> 7 > 0
    used = np.hstack([np.ones((len(codes), 1), bool), more[:, :-1]])
    digits: NDArray[np.uint8] = ((shifted & 0x7F) | more << 7)[used].astype(np.uint8)
    return digits.tobytes()


def parse(section: bytes, tables: TableSet) -> NDArray[np.int32]:
    """The values of an escape section, int32 [k]; inverse of `escape_bytes`. Raises CoderError."""
    data = np.frombuffer(section, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    if not data.size:
        return np.zeros(0, np.int32)
    if ends[-1:].tolist() != [data.size - 1]:
        raise CoderError("the last escape of the payload is cut short")
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > _MAX_BYTES or (data[ends][lengths > 1] == 0).any():
        raise CoderError("an escape is not written in its shortest form")
    within = np.arange(data.size) - np.repeat(starts, lengths)
    codes = np.add.reduceat((data & 0x7F).astype(np.int64) << (7 * within), starts)
    values = np.where(codes & 1, tables.lowest - 1 - (codes >> 1), tables.highest + 1 + (codes >> 1))
    if (values < -(1 << 31)).any() or (values >= 1 << 31).any():
        raise CoderError("an escape stands for a value beyond 32 bits")
    return values.astype(np.int32)
