"""Integer frequency tables: the only probabilities an entropy coder ever sees.

They are computed once, when weights are baked, and stored as integers; a decoder never evaluates a distribution.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import limits
from .errors import UsageError

TOTAL = 1 << 16


class TableSet:
    """Tables over one alphabet: the integers lowest .. lowest + symbols - 2, and ESCAPE as the last entry.

    `cdf`: uint32 [tables, symbols + 1], each row rises strictly from 0 to 65536, so that every entry has a
    frequency of at least 1. Read-only; compared and hashed by identity. Raises UsageError for anything else.
    """

    def __init__(self, cdf: ArrayLike, lowest: int) -> None:
        array = np.asarray(cdf)
        if array.ndim != 2 or array.dtype.kind not in "iu":
            raise UsageError("a table set must be a two-dimensional array of integers")
        tables, symbols = array.shape[0], array.shape[1] - 1
        if not 1 <= tables <= limits.MAX_TABLES or not 2 <= symbols <= limits.MAX_SYMBOLS:
            raise UsageError(f"a table set holds 1..256 tables of 2..{limits.MAX_SYMBOLS} symbols")
        wide = array.astype(np.int64)
        if wide[:, 0].any() or (wide[:, -1] != TOTAL).any() or (np.diff(wide, axis=1) < 1).any():
            raise UsageError("every table must rise strictly from 0 to 65536")
        if not -(1 << 31) <= lowest <= (1 << 31) - symbols:
            raise UsageError("the alphabet of a table set must fit 32-bit integers")
        self.cdf: NDArray[np.uint32] = wide.astype(np.uint32)
        self.cdf.setflags(write=False)
        self.lowest = int(lowest)

    def __len__(self) -> int:
        """Number of tables."""
        return int(self.cdf.shape[0])

    @property
    def symbols(self) -> int:
        """Entries of a table, ESCAPE included."""
        return int(self.cdf.shape[1]) - 1

    @property
    def escape(self) -> int:
        """Entry number of ESCAPE."""
        return self.symbols - 1

    @property
    def highest(self) -> int:
        """Largest integer that is coded without an escape."""
        return self.lowest + self.symbols - 2

    @property
    def frequencies(self) -> NDArray[np.uint32]:
        """uint32 [tables, symbols], each row adds up to 65536."""
        return np.diff(self.cdf, axis=1)

    def digest(self) -> bytes:
        """SHA-256 over the shape, the lowest symbol and the cumulative counts (SPEC.md, section 7.1)."""
        state = hashlib.sha256(b"XVC tables 1")
        state.update(np.array([len(self), self.symbols, self.lowest], "<i8").tobytes())
        state.update(self.cdf.astype("<u4").tobytes())
        return state.digest()

    @classmethod
    def from_probabilities(cls, weights: ArrayLike, lowest: int) -> TableSet:
        """Tables from non-negative weights, float64 [tables, symbols] with ESCAPE last; for use when baking.

        Each entry gets one count, the rest is shared in proportion and rounded by largest remainder.
        """
        array = np.asarray(weights, np.float64)
        if array.ndim != 2 or not np.isfinite(array).all() or (array < 0).any() or (array.sum(axis=1) <= 0).any():
            raise UsageError("table weights must be a matrix of finite numbers >= 0 with no empty row")
        free = TOTAL - array.shape[1]
        share = array / array.sum(axis=1, keepdims=True) * free
        counts = np.floor(share).astype(np.int64)
        for row, rest in zip(counts, share - counts, strict=True):
            missing = free - int(row.sum())
            row[np.argsort(-rest, kind="stable")[:missing]] += 1
        cdf = np.zeros((array.shape[0], array.shape[1] + 1), np.int64)
        np.cumsum(counts + 1, axis=1, out=cdf[:, 1:])
        return cls(cdf, lowest)

    @classmethod
    def from_counts(cls, counts: ArrayLike, lowest: int) -> TableSet:
        """Tables from observed counts [tables, symbols], the last column counting escapes."""
        return cls.from_probabilities(counts, lowest)

    @classmethod
    def laplace(cls, scales: ArrayLike, reach: int) -> TableSet:
        """One table a scale b > 0 of a Laplace density exp(-|x| / b) / 2b rounded to integers; alphabet -reach..reach.

        Escape gets the mass of both tails.
        """
        scale = np.asarray(scales, np.float64).reshape(-1, 1)
        if (scale <= 0).any() or reach < 0:
            raise UsageError("Laplace tables need scales above 0 and a reach of 0 or more")
        steps = np.arange(reach + 1)
        upper = np.exp(-(steps + 0.5) / scale) / 2  # mass above k + 1/2
        centre = 1 - 2 * upper[:, :1]
        side = upper[:, :-1] - upper[:, 1:]
        return cls.from_probabilities(np.hstack([side[:, ::-1], centre, side, 2 * upper[:, -1:]]), -reach)


def log_scales(n: int = 64, lowest: float = 0.06, highest: float = 100.0) -> NDArray[np.float64]:
    """`n` Laplace scales, float64, spaced evenly in their logarithm."""
    return np.exp(np.linspace(np.log(lowest), np.log(highest), n))
