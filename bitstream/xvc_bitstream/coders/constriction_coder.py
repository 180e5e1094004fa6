"""Coder 2: range asymmetric numeral systems from the constriction library. Wheels everywhere, no compiler.

ANS rather than constriction's range coder: measured on 500,000 symbols it decodes a tenth faster, costs 4 bytes
less, and its state must return to exactly zero, so that it notices nearly every wrong bit by itself.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import constriction  # type: ignore[import-untyped,unused-ignore]
import numpy as np
from numpy.typing import NDArray

from ..errors import CoderError
from ..tables import TableSet
from .base import Bytes, Coder, Entries, Ints

_ans = constriction.stream.stack.AnsCoder
_categorical = constriction.stream.model.Categorical
_cache: weakref.WeakKeyDictionary[TableSet, list[Any]] = weakref.WeakKeyDictionary()


class ConstrictionCoder(Coder):
    """64-bit ANS state, 32-bit words, 24-bit probabilities (SPEC.md, section 7.3)."""

    id = 2
    name = "constriction"

    def _encode(self, parts: Sequence[tuple[Ints, Bytes]], tables: TableSet) -> bytes:
        models = _models(tables)
        coder = _ans()
        for entries, index in reversed(parts):  # a stack: last in, first out
            order, runs = _grouped(index)
            grouped = entries[order]
            for table, start, stop in reversed(list(runs)):
                coder.encode_reverse(grouped[start:stop], models[table])
        words: bytes = coder.get_compressed().astype("<u4").tobytes()
        return words.rstrip(b"\0")  # the last word is never zero: at most three bytes, and no ambiguity

    def _entries(self, data: bytes, tables: TableSet) -> Entries:
        return _Words(data, tables)


class _Words(Entries):
    def __init__(self, data: bytes, tables: TableSet) -> None:
        if data.endswith(b"\0"):
            raise CoderError("the payload has zeros at its end that an encoder would not write")
        self._models = _models(tables)
        self._coder = _ans(np.frombuffer(data + bytes(-len(data) % 4), "<u4").astype(np.uint32))

    def read(self, index: Bytes) -> Ints:
        order, runs = _grouped(index)
        grouped = np.empty(index.size, np.int32)
        for table, start, stop in runs:
            grouped[start:stop] = self._coder.decode(self._models[table], stop - start)
        entries = np.empty_like(grouped)
        entries[order] = grouped
        return entries

    def end(self) -> None:
        if self._coder.num_words():
            raise CoderError("the payload does not end where its symbols end; it is damaged or the tables are others")


def _grouped(index: NDArray[np.uint8]) -> tuple[NDArray[np.intp], Iterator[tuple[int, int, int]]]:
    """The stable order by table, intp [n], and (table, start, stop) of each table's run in that order."""
    counts = np.bincount(index, minlength=1)
    stops = np.cumsum(counts)
    runs = ((int(table), int(stops[table] - counts[table]), int(stops[table])) for table in np.flatnonzero(counts))
    return np.argsort(index, kind="stable"), runs  # a radix sort for uint8


def _models(tables: TableSet) -> list[Any]:
    """One constriction model a table, with probabilities of exactly frequency / 65536.

    constriction gives each of n entries one count of 2^24 and shares the other 2^24 - n in proportion to the
    weights. Weights of 256 * frequency - 1 add up to 2^24 - n, so the share is the weight itself: integers in
    float32 below 2^24, no rounding anywhere, hence the same words on any machine.
    """
    models = _cache.get(tables)
    if models is None:
        weights = (tables.frequencies * 256 - 1).astype(np.float32)
        models = [_categorical(row, perfect=False) for row in weights]
        _cache[tables] = models
    return models
