"""Which probability table codes a bit of a token: integers, nothing else.

Tokens are coded plane by plane of their bits. A token of which nothing is known yet first gets a flag: whether any of its
coefficients reaches the plane's threshold. Then its coefficients come, four at a time: for one that is zero so far a
sign or 0, for another its next bit. Flags and first signs have tables for weighted sums of known sizes (in units of the
plane's threshold), which fall into 64 buckets, four an octave. Weights and tables are fitted by `tools/fit_tokens.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.tables import TableSet, log_scales

from xvcodec.codec.field_contexts import BUCKETS, EDGES
from xvcodec.models.patches import TOKEN

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]

KINDS = ("means", "canvas", "anchor", "pair", "frame", "detail")
"""Means of the canvas's patches, the rest of it; differences of anchors whose distance is one chunk, and more; of the frames
between, the lowest frequency in time, and the others."""
SIZES = {"means": 3, "canvas": 24}
"""Tokens of a patch; six elsewhere."""
MOST = 24
PLANES = 22
"""Planes of bits: the first one's threshold is 2^21 finest steps."""
FLAG_FEATURES = ("near", "diagonal", "lower", "lowest", "parent")
"""Known sizes of tokens of the same frequencies: four neighbours, four diagonal ones; of the own patch: the next lower
token,
all lower ones; of a related picture at the same place."""
SIGN_FEATURES = ("near", "own", "parent")
"""Known sizes of the same coefficient in four neighbours, of the own token, and of the same coefficient in a related
picture."""
STATES, SUBSTEPS, PART = 3, 4, 4
"""Known token; new token without any sign so far; new token with one. A token's coefficients come in SUBSTEPS parts of
PART."""
UNIT = 256
HEAVIEST = 1 << 12
BIAS = 1 << 18
LAPLACE, CHANCES = 64, 48
"""Tables: LAPLACE of motion fields, CHANCES of flags and bits, CHANCES of signs."""
REACH = 31


def tables() -> TableSet:
    """Tables of motion fields and of tokens, over one alphabet."""
    laplace = TableSet.laplace(log_scales(LAPLACE, 0.06, 100.0), REACH).frequencies
    chance = 1.0 / (1.0 + np.exp(-np.linspace(-7.0, 4.0, CHANCES)))
    rest = np.zeros((2 * CHANCES, 2 * REACH + 2))
    rest[:CHANCES, REACH], rest[:CHANCES, REACH + 1] = 1.0 - chance, chance
    rest[CHANCES:, REACH] = 1.0 - chance
    rest[CHANCES:, REACH - 1] = rest[CHANCES:, REACH + 1] = chance / 2
    return TableSet(np.pad(np.cumsum(np.vstack((laplace, TableSet.from_probabilities(rest, -REACH).frequencies)), axis=1),
                           ((0, 0), (1, 0))), -REACH)


def nearest(chance: NDArray[np.float64]) -> Bytes:
    """Table (0 to CHANCES - 1) whose probability of anything but zero is nearest to some chances."""
    odds = np.log(np.clip(chance, 1e-6, 1 - 1e-6) / (1 - np.clip(chance, 1e-6, 1 - 1e-6)))
    return np.clip(np.round((odds + 7.0) * (CHANCES - 1) / 11.0), 0, CHANCES - 1).astype(np.uint8)


_SHAPES = {
    "flag_bias": (len(KINDS), MOST, PLANES), "flag_weights": (len(KINDS), MOST, len(FLAG_FEATURES)),
    "flag_tables": (len(KINDS), 3, BUCKETS), "sign_bias": (len(KINDS), STATES, MOST, TOKEN),
    "sign_weights": (len(KINDS), STATES, len(SIGN_FEATURES)), "sign_tables": (len(KINDS), STATES, SUBSTEPS, BUCKETS),
    "bit_tables": (len(KINDS), 2), "scan_tables": (len(KINDS), 3),
}


@dataclass(frozen=True, eq=False)
class TokenContexts:
    """The fitted arrays; the last four hold tables, uint8, the others whole weights, int32. Read-only.

    Raises ValueError for other types, shapes or values beyond the bounds above.
    """

    flag_bias: Ints
    flag_weights: Ints
    flag_tables: Bytes  # by kind, token (first, second, others), bucket
    sign_bias: Ints
    sign_weights: Ints
    sign_tables: Bytes
    bit_tables: Bytes  # second bit, later bits
    scan_tables: Bytes  # whether a scan of flags has any: nothing known in the picture, little, much

    def __post_init__(self) -> None:
        for name, shape in _SHAPES.items():
            array: NDArray[Any] = getattr(self, name)
            kind, most = (np.uint8, CHANCES - 1) if "tables" in name else (np.int32, BIAS if "bias" in name else HEAVIEST)
            if array.shape != shape or array.dtype != kind or array.min() < 0 or array.max() > most:
                raise ValueError(f"the array {name!r} of token contexts has the wrong shape, type or range")

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """Writable copies by name, for a weights file."""
        return {name: getattr(self, name).copy() for name in _SHAPES}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[Any]]) -> TokenContexts:
        """The inverse of `to_tensors`. Raises KeyError for a missing array, ValueError for a wrong one."""
        return cls(*(np.asarray(tensors[name]) for name in _SHAPES))

    @classmethod
    def default(cls) -> TokenContexts:
        """Plausible contexts by formula, not fitted: for tests and first experiments."""
        made: dict[str, NDArray[Any]] = {name: np.zeros(shape, np.uint8 if "tables" in name else np.int32)
                                         for name, shape in _SHAPES.items()}
        made["flag_bias"][:] = (UNIT // (4 + 8 * np.arange(MOST)))[None, :, None]
        made["flag_weights"][:] = np.array([40, 20, 30, 6, 20])
        sums = np.append(EDGES, EDGES[-1]) / UNIT
        chance = 1.0 - np.exp(-np.maximum(sums, 1e-3))
        made["flag_tables"][:] = nearest(chance)
        made["sign_bias"][:, 0], made["sign_bias"][:, 1], made["sign_bias"][:, 2] = 20, 24, 24
        made["sign_weights"][:] = np.array([40, 8, 24])
        made["sign_tables"][:] = nearest(chance)
        made["bit_tables"][:] = nearest(np.array([0.4, 0.45]))
        made["scan_tables"][:] = nearest(np.array([0.1, 0.6, 0.97]))
        return cls(**made)


def bucket(sums: Ints) -> NDArray[np.intp]:
    """Buckets of weighted sums."""
    return np.searchsorted(EDGES, sums, side="right")
