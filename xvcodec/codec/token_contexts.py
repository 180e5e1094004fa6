"""Which probability table codes a bit of a token: integers, nothing else.

Tokens are coded plane by plane of their bits. A token of which nothing is known yet first gets a flag: whether any of its
coefficients reaches the plane's threshold. Then its coefficients come, four at a time: for one that is zero so far a
sign or 0, for another its next bit. Tables of flags and of first signs come from networks that see known sizes (in units of
the plane's threshold). Fitted by `tools/fit_tokens.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.errors import UsageError
from xvc_bitstream.tables import TableSet

from xvcodec.codec.token_network import CHANCES, HIGHEST, LOWEST, TokenNetwork

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]

TOKEN = 16
"""Coefficients of a token."""
KINDS = ("key", "anchor", "pair", "frame", "detail")
"""Key frames; anchors whose distance is one chunk, and more; of frames between, the lowest frequency in time, and the
others."""
SIZES, USUAL = {"key": 24}, 6
"""Tokens of a patch, and of those of other kinds."""
MOST = 24
PLANES = 16
"""Planes of bits: the first one's threshold is 2^15 quantiser steps."""
FLAG_FEATURES = ("near", "diagonal", "lower", "lowest", "parent", "beside")
"""Known sizes of tokens of the same frequencies: four neighbours, four diagonal ones; of the own patch: the next lower
token, all lower ones; of a related picture at the same place; of all lower tokens of four neighbours."""
SIGN_FEATURES = ("near", "own", "parent", "around", "near around", *(f"token's {name}" for name in FLAG_FEATURES))
"""Known sizes of the same coefficient in four neighbours, of the own token, of the same coefficient in a related
picture, of coefficients next to it in frequency in the own patch and in four neighbours; and those of which flags depend."""
SPOTS = 3
"""A scan goes over a picture in a quincunx: every other patch of every other row, those amid four of them, the others."""
STATES, SUBSTEPS, PART = 3, 4, 4
"""Known token; new token without any sign so far; new token with one. A token's coefficients come in SUBSTEPS parts of
PART."""
REACH = 1
"""Symbols are 0 and 1, of signs -1, too."""
SHAPES = {"flags": (len(FLAG_FEATURES), len(KINDS) * MOST, len(KINDS) * PLANES * 2 * SPOTS),
          "signs": (len(SIGN_FEATURES), len(KINDS) * MOST * TOKEN, len(KINDS) * STATES * PLANES * SPOTS)}
"""Inputs, places and states of both networks."""
BITS = 3
"""Next bits are told apart by what is known: 1, 2 or 3, more."""
RICHNESS = 3
"""Whether a scan of flags has any is told by what is known in its pictures: nothing, little, much."""
LIKELY = 26
"""Table of a flag from which on it is a likely one: a chance of about 0.3."""


def chances() -> Ints:
    """Counts of the tables by formula: CHANCES of flags and bits, CHANCES of signs; for use when fitting."""
    chance = 1.0 / (1.0 + np.exp(-np.linspace(LOWEST, HIGHEST, CHANCES)))
    weights = np.zeros((2 * CHANCES, 2 * REACH + 2))
    weights[:, REACH] = np.tile(1.0 - chance, 2)
    weights[:CHANCES, REACH + 1] = chance
    weights[CHANCES:, REACH - 1] = weights[CHANCES:, REACH + 1] = chance / 2
    return TableSet.from_probabilities(weights, -REACH).cdf.astype(np.int32)


def nearest(chance: NDArray[np.float64]) -> Bytes:
    """Table (0 to CHANCES - 1) whose probability of anything but zero is nearest to some chances."""
    odds = np.log(np.clip(chance, 1e-6, 1 - 1e-6) / (1 - np.clip(chance, 1e-6, 1 - 1e-6)))
    return np.clip(np.round((odds - LOWEST) * (CHANCES - 1) / (HIGHEST - LOWEST)), 0, CHANCES - 1).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class TokenContexts:
    """What is fitted. Read-only. Raises ValueError for other types, shapes or values beyond their bounds."""

    tables: TableSet = field(init=False)  # of `cdf`

    flags: TokenNetwork  # places: kind, token; states: kind, plane, phase, spot
    signs: TokenNetwork  # places: kind, token, coefficient; states: kind, state, plane, spot
    bits: Bytes  # tables of next bits, [kinds, BITS]
    scans: Bytes  # tables of whether a scan of flags has any, [kinds, RICHNESS]
    cdf: Ints = field(default_factory=chances)  # [2 CHANCES, 2 REACH + 3]; kept in files, since formulas round differently

    def __post_init__(self) -> None:
        for name, width in (("bits", BITS), ("scans", RICHNESS)):
            array = getattr(self, name)
            if array.shape != (len(KINDS), width) or array.dtype != np.uint8 or array.max() >= CHANCES:
                raise ValueError(f"the tables {name!r} of token contexts have the wrong shape, type or range")
        for name, network in (("flags", self.flags), ("signs", self.signs)):
            if (len(network.entry), len(network.place), len(network.state)) != SHAPES[name]:
                raise ValueError(f"the network of {name} has inputs of another edition")
        if self.cdf.shape != (2 * CHANCES, 2 * REACH + 3) or self.cdf.dtype != np.int32:
            raise ValueError("the tables of token contexts have the wrong shape or type")
        for name in ("bits", "scans", "cdf"):
            copy = getattr(self, name).copy()
            copy.setflags(write=False)
            object.__setattr__(self, name, copy)
        try:
            object.__setattr__(self, "tables", TableSet(self.cdf, -REACH))
        except UsageError as error:
            raise ValueError(str(error)) from None

    def of_flags(self, kind: int, token: int, depth: int, spot: int, features: Ints) -> Bytes:
        """Tables of flags of one scan, given features [n, FLAG_FEATURES] -> [n]."""
        rows = (kind * MOST + token, (kind * 2 * PLANES + depth) * SPOTS + spot)
        return self.flags.tables(features, *(np.full(len(features), each) for each in rows))

    def of_signs(self, kind: int, token: int, plane: int, spot: int, part: slice, states: NDArray[np.intp],
                 features: Ints) -> Bytes:
        """Tables of first signs, given states [n] and features [n, PART, SIGN_FEATURES] -> [n, PART]."""
        place = (kind * MOST + token) * TOKEN + np.arange(part.start, part.stop)
        state = ((kind * STATES + states) * PLANES + plane) * SPOTS + spot
        shape = features.shape[:2]
        rows = (np.broadcast_to(each, shape).ravel() for each in (place, state[:, None]))
        return self.signs.tables(features.reshape(-1, features.shape[2]), *rows).reshape(shape)

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """Writable copies by name, for a weights file."""
        own = {f"{name}.{key}": array for name in SHAPES for key, array in getattr(self, name).to_tensors().items()}
        return own | {"bits": self.bits.copy(), "scans": self.scans.copy(), "cdf": self.cdf.copy()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[Any]]) -> TokenContexts:
        """The inverse of `to_tensors`. Raises KeyError for a missing array, ValueError for a wrong one."""
        flags, signs = ({key.removeprefix(f"{name}."): array for key, array in tensors.items() if key.startswith(f"{name}.")}
                        for name in SHAPES)
        bits, scans, cdf = (np.asarray(tensors[name]) for name in ("bits", "scans", "cdf"))
        return cls(TokenNetwork.from_tensors(flags), TokenNetwork.from_tensors(signs), bits, scans, cdf)

    @classmethod
    def default(cls) -> TokenContexts:
        """Plausible contexts by formula, not fitted: for tests and first experiments."""
        bits, scans = (np.repeat(nearest(np.array([chances])), len(KINDS), axis=0)
                       for chances in ((0.4, 0.45, 0.48), (0.1, 0.6, 0.97)))
        return cls(TokenNetwork.default(*SHAPES["flags"]), TokenNetwork.default(*SHAPES["signs"]), bits, scans)
