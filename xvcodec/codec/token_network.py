"""Which probability table codes a flag or a coefficient's first sign, by a small network of whole numbers.

Two of them, one for flags, one for signs. Arithmetic as of `xvcodec.codec.field_network`: sums of products stay below 2^24,
so that float32 products of whole numbers are exact on every machine, in any order of summation.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.field_network import BIAS, ENTRY, INNER, LARGEST, LOGARITHMS, TOP, UNIT, WIDTH, layer

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]

CHANCES = 48
"""Tables of two chances, from hardly any to nearly certain."""
LOWEST, HIGHEST = -7.0, 4.0
"""Logarithms of the odds of the first and the last."""


@dataclass(frozen=True, eq=False)
class TokenNetwork:
    """The fitted arrays, int32, read-only. Biases of the first layer are sums of a row of `place` and one of `state`.

    Raises ValueError for other types, shapes or values beyond their bounds.
    """

    entry: Ints  # [inputs, WIDTH]
    place: Ints  # [places, WIDTH]
    state: Ints  # [states, WIDTH]
    inner: Ints  # [WIDTH, WIDTH]
    inner_bias: Ints  # [WIDTH]
    out: Ints  # [WIDTH, 1]
    out_bias: Ints  # [1]

    def __post_init__(self) -> None:
        ends = {"entry": WIDTH, "place": WIDTH, "state": WIDTH, "inner": WIDTH, "inner_bias": None, "out": 1,
                "out_bias": None}
        most = {"entry": ENTRY, "inner": INNER, "out": INNER}
        for name, width in ends.items():
            array = getattr(self, name)
            if array.dtype != np.int32 or array.ndim != (1 if width is None else 2) or width not in (None, array.shape[-1]):
                raise ValueError(f"the array {name!r} of a token network has the wrong shape or type")
            if array.size and not -most.get(name, BIAS) <= array.min() <= array.max() <= most.get(name, BIAS):
                raise ValueError(f"a weight {name!r} of a token network is out of its range")
            copy = array.copy()
            copy.setflags(write=False)
            object.__setattr__(self, name, copy)
        if self.inner.shape != (WIDTH, WIDTH) or self.inner_bias.shape != (WIDTH,) or len(self.out) != WIDTH or \
                self.out_bias.shape != (1,):
            raise ValueError("the layers of a token network do not fit each other")

    def tables(self, features: Ints, place: NDArray[np.intp], state: NDArray[np.intp]) -> Bytes:
        """Numbers of tables, 0 to CHANCES - 1.

        Args:
            features: sizes that are known, each >= 0, [n, inputs].
            place, state: rows of the biases, [n].
        """
        row = place * len(self.state) + state
        known = np.flatnonzero(features.any(1))
        seen = self._through(LOGARITHMS[np.minimum(features[known], LARGEST)], row[known])
        unknown = np.ones(len(features), bool)
        unknown[known] = False
        alone, which = np.unique(row[unknown], return_inverse=True)  # most are alike
        tables = np.empty(len(features), np.uint8)
        tables[known] = seen
        tables[unknown] = self._through(np.zeros((alone.size, features.shape[1]), np.uint8), alone)[which]
        return tables

    def _through(self, seen: Bytes, row: NDArray[np.intp]) -> Bytes:
        place, state = np.divmod(row, len(self.state))
        bias = self.place[place] + self.state[state]
        hidden = layer(seen.astype(np.float32), self.entry, bias, TOP)
        hidden = layer(hidden, self.inner, self.inner_bias, TOP)
        return layer(hidden, self.out, self.out_bias, CHANCES - 1)[:, 0].astype(np.uint8)

    @classmethod
    def default(cls, inputs: int, places: int, states: int) -> TokenNetwork:
        """A plausible one by formula, not fitted: the more is known around, the likelier. For tests and experiments."""
        shapes = {"entry": (inputs, WIDTH), "place": (places, WIDTH), "state": (states, WIDTH), "inner": (WIDTH, WIDTH),
                  "inner_bias": (WIDTH,), "out": (WIDTH, 1), "out_bias": (1,)}
        made = {name: np.zeros(shape, np.int32) for name, shape in shapes.items()}
        made["entry"][:, 0], made["inner"][0, 0], made["out"][0], made["out_bias"][:] = UNIT // 4, UNIT, UNIT // 6, 8 * UNIT
        return cls(**made)

    def to_tensors(self) -> dict[str, NDArray[np.generic]]:
        """Writable copies by name, for a weights file."""
        return {each.name: getattr(self, each.name).copy() for each in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[np.generic]]) -> TokenNetwork:
        """The inverse of `to_tensors`. Raises KeyError for a missing array, ValueError for a wrong one."""
        return cls(*(np.asarray(tensors[each.name]) for each in fields(cls)))
