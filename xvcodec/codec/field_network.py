"""Which probability table codes a motion vector, by a small network of whole numbers.

It sees `FEATURES`, and besides them residuals around, and what the chunk before has here: motion goes on where it was. Sums
of products stay below 2^24, so that float32 products of whole numbers are exact on every machine, in any order of summation.
Vectors have tables of their own, because most are as predicted: each entry of a table has a count of at least one, and 256
of them cost more than many a sign. Against weighted sums and the tables of coefficients: 7 to 23 % fewer bits
(docs/experiments.md). Fitted by `tools/fit_contexts.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.errors import UsageError
from xvc_bitstream.tables import TableSet

from xvcodec.codec.field_contexts import COMPONENTS, FEATURES, ROLES, TABLES, Asked, Ints, folded
from xvcodec.models.quincunx import STEPS

Floats = NDArray[np.float32]

INPUTS = len(FEATURES) + 5
"""What `Asked` holds: features, and what it has beside."""
WIDTH = 32
OCTAVE = 16
"""Steps of the logarithm of a feature for each doubling."""
LARGEST = 4095
"""Features count up to this."""
REACH = 15
"""Largest symbol that is coded without an escape: sizes beyond 1 up to 30 quarter pixels."""
SIZES, SHIFTS = TABLES, 2 * TABLES
"""Where the tables of sizes begin, and the one that codes shifts."""
RAREST, OFTENEST = -9.0, 3.0
"""Odds that a component is not as predicted, natural logarithm, of the first table and the last."""
SHORTEST, LONGEST = 0.05, 200.0
"""Mean sizes beyond 1."""
UNSHIFTED = 0.5
"""How often a shift is none, about; each step further is half as often."""
TOP = 255
"""Largest value behind a layer."""
UNIT = 128
"""Weights are multiples of 1/UNIT."""
ENTRY, INNER, BIAS = 2047, 1023, 1 << 21
"""Largest weights of the first layer and of the others, and largest bias."""


def _logarithms() -> NDArray[np.uint8]:
    """OCTAVE log2(1 + feature), a straight line within each octave: whole numbers from whole numbers."""
    values = [feature + 1 for feature in range(LARGEST + 1)]
    octaves = [value.bit_length() - 1 for value in values]
    return np.array([OCTAVE * octave + ((OCTAVE * value) >> octave) - OCTAVE
                     for value, octave in zip(values, octaves, strict=True)], np.uint8)


LOGARITHMS = _logarithms()


@dataclass(frozen=True, eq=False)
class FieldNetwork:
    """The fitted arrays, int32, read-only: two layers, then the tables of signs and of sizes.

    Raises ValueError for other types, shapes or values beyond the bounds above.
    """

    tables: TableSet = field(init=False)  # of `cdf`

    entry: Ints  # [INPUTS, WIDTH]
    place: Ints  # [ROLES, COMPONENTS, STEPS, WIDTH], biases of the first layer
    inner: Ints  # [WIDTH, WIDTH]
    inner_bias: Ints  # [WIDTH]
    out: Ints  # [WIDTH, 2]
    out_bias: Ints  # [2]
    cdf: Ints  # [2 TABLES + 1, 2 REACH + 3]: of signs, of sizes, and that of shifts; kept, since formulas round differently

    def __post_init__(self) -> None:
        shapes = {"entry": (INPUTS, WIDTH), "place": (ROLES, COMPONENTS, STEPS, WIDTH), "inner": (WIDTH, WIDTH),
                  "inner_bias": (WIDTH,), "out": (WIDTH, 2), "out_bias": (2,),
                  "cdf": (SHIFTS + 1, 2 * REACH + 3)}
        most = {"entry": ENTRY, "inner": INNER, "out": INNER}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.int32:
                raise ValueError("the network of the motion contexts has the wrong shape or type")
            if not -most.get(name, BIAS) <= array.min() <= array.max() <= most.get(name, BIAS):
                raise ValueError("a weight of the network of the motion contexts is out of its range")
            copy = array.copy()
            copy.setflags(write=False)
            object.__setattr__(self, name, copy)
        try:
            object.__setattr__(self, "tables", TableSet(self.cdf, -REACH))
        except UsageError as error:
            raise ValueError(str(error)) from None

    def indices(self, asked: Sequence[Asked]) -> list[NDArray[np.uint8]]:
        """Tables of sign and size for each that is asked, uint8 [2, ...] of the shape of its features."""
        if not asked:
            return []
        shapes = [each.shape for each in asked]
        counts = [int(np.prod(shape)) for shape in shapes]
        places = np.stack([self.place[each.role, each.component, each.step] for each in asked]).repeat(counts, axis=0)
        seen = np.concatenate([inputs_of(each) for each in asked])
        hidden = layer(seen.astype(np.float32), self.entry, places, TOP)
        hidden = layer(hidden, self.inner, self.inner_bias, TOP)
        found = layer(hidden, self.out, self.out_bias, TABLES - 1).astype(np.uint8)
        parts = np.split(found, np.cumsum(counts)[:-1])
        return [part.T.reshape(2, *shape) for part, shape in zip(parts, shapes, strict=True)]

    @classmethod
    def default(cls) -> FieldNetwork:
        """A plausible one by formula, not fitted: the wider the more is said to have moved. For tests and experiments."""
        entry, inner, out = (np.zeros(shape, np.int32) for shape in ((INPUTS, WIDTH), (WIDTH, WIDTH), (WIDTH, 2)))
        entry[:, 0], inner[0, 0], out[0] = UNIT // 2, UNIT, UNIT // 8
        biases = np.zeros((ROLES, COMPONENTS, STEPS, WIDTH), np.int32), np.zeros(WIDTH, np.int32)
        return cls(entry, biases[0], inner, biases[1], out, np.array([8 * UNIT, 8 * UNIT], np.int32), motion_tables())

    def to_tensors(self) -> dict[str, NDArray[np.generic]]:
        """Writable copies by name, for a weights file."""
        return {each.name: getattr(self, each.name).copy() for each in fields(self) if each.init}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[np.generic]]) -> FieldNetwork:
        """The inverse of `to_tensors`. Raises KeyError for a missing array, ValueError for a wrong one."""
        return cls(*(np.asarray(tensors[each.name]) for each in fields(cls) if each.init))


def motion_tables() -> Ints:
    """Counts of the tables by formula, as `FieldNetwork.cdf` holds them; for use when fitting."""
    weights = np.zeros((SHIFTS + 1, 2 * REACH + 2))
    odds = np.exp(np.linspace(RAREST, OFTENEST, TABLES))
    weights[:SIZES, REACH] = 1.0
    weights[:SIZES, [REACH - 1, REACH + 1]] = odds[:, None] / 2
    mean = np.exp(np.linspace(math.log(SHORTEST), math.log(LONGEST), TABLES))[:, None]
    sizes = np.arange(2 * REACH + 1, dtype=np.int32)
    weights[SIZES:SHIFTS, folded(sizes) + REACH] = (mean / (1.0 + mean)) ** sizes / (1.0 + mean)
    weights[SIZES:SHIFTS, -1:] = (mean / (1.0 + mean)) ** sizes.size
    weights[SHIFTS, : sizes.size] = UNSHIFTED ** (1 + np.abs(sizes - REACH))
    return TableSet.from_probabilities(weights, -REACH).cdf.astype(np.int32)


def inputs_of(asked: Asked) -> NDArray[np.uint8]:
    """What the network sees, a row a symbol: uint8 [n, INPUTS]."""
    columns = np.zeros((INPUTS, int(np.prod(asked.shape))), np.uint8)
    for row, feature in enumerate((*asked.features, *[None] * (len(FEATURES) - len(asked.features)), *asked.beside)):
        if feature is not None:
            columns[row] = LOGARITHMS[np.minimum(feature, LARGEST).ravel()]
    return columns.T


def layer(seen: Floats, weights: Ints, bias: Ints, top: int) -> Floats:
    """(seen . weights + bias) / UNIT, rounded to the nearest and clipped to 0 to `top`."""
    total = seen @ weights.astype(np.float32) + bias.astype(np.float32)
    return np.floor((total + np.float32(UNIT // 2)) / np.float32(UNIT)).clip(0, top)
