"""Lossless coding of how the patches of a key frame are cut (`xvcodec.models.cuts`): integers, after its coefficients.

One symbol a patch, in the order of a quincunx; a patch without luma has none, and is whole. Where there is much luma, and
where more of the four neighbours are cut, wider tables expect cuts more. Where coefficients are not known, as in a prefix of
tokens, every patch has a symbol.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.models.cuts import LUMA
from xvcodec.models.quincunx import quincunx

SYMBOLS = np.array([0, -1, 3, 1, 2, -3, -2, 4, -4], np.int32)
"""Symbol of each cut: tables fall to both sides, and so does how often cuts are chosen."""
_BUSY = (2, 4, 8, 16, 32, 64)
"""So many luma coefficients that are not zero make a patch belong to the next class."""
_TABLES = np.array([(16, 18, 19, 20, 21), (13, 16, 18, 19, 19), (14, 16, 17, 19, 19), (16, 18, 19, 21, 21),
                    (19, 21, 23, 24, 24), (20, 22, 24, 26, 27), (22, 23, 25, 26, 28)], np.uint8)
"""By class, then neighbours that are cut."""
_UNKNOWN = np.array((12, 15, 17, 19, 20), np.uint8)
"""Where coefficients are not known."""


def encode_cuts(cuts: Ints, latent: Ints | None) -> list[tuple[Ints, NDArray[np.uint8]]]:
    """Cuts to symbols.

    Args:
        cuts: numbers of cuts [h, w]; those of patches without luma are lost.
        latent: symbols of the key frame, [384, h, w]; None where decoders do not know them.
    Returns:
        for each step of the quincunx symbols int32 [n] and tables uint8 [n].
    """
    symbols, passes = SYMBOLS[cuts.ravel()], []

    def take(places: NDArray[np.intp], tables: NDArray[np.uint8]) -> Ints:
        passes.append((symbols[places], tables))
        return passes[-1][0]

    _walk(latent, cuts.shape, take)
    return passes


def decode_cuts(latent: Ints | None, shape: tuple[int, int], read: Callable[[NDArray[np.uint8]], Ints]) -> Ints:
    """The inverse of `encode_cuts`: numbers of cuts [h, w], 0 for patches without luma.

    Args:
        latent: as for `encode_cuts`. shape: (h, w). read: decodes the symbols of a step.
    Raises:
        DamagedError: a symbol stands for no cut.
    """
    return _walk(latent, shape, lambda places, tables: read(tables))


def _walk(latent: Ints | None, shape: tuple[int, ...], take: Callable[[NDArray[np.intp], NDArray[np.uint8]], Ints]) -> Ints:
    """Cuts [h, w], given what codes or decodes the symbols of places with some tables."""
    height, width = shape
    if latent is None:
        busy, tables = np.ones(height * width, np.intp), np.tile(_UNKNOWN, (height * width, 1))
    else:
        busy = np.count_nonzero(latent[LUMA.numpy()], axis=0).ravel()
        tables = _TABLES[np.searchsorted(_BUSY, busy, side="right")]  # [h * w, 5]
    found = np.zeros(height * width, np.int32)
    for step in quincunx(height, width):
        some = busy[step.places] > 0
        places = step.places[some]
        near = 0 if step.neighbours is None else np.count_nonzero(found[step.neighbours[:, some]], axis=0)
        symbols = take(places, tables[places, near])
        if symbols.size and not SYMBOLS.min() <= symbols.min() <= symbols.max() <= SYMBOLS.max():
            raise DamagedError("a patch is cut in a way that there is not: the file is damaged")
        found[places] = symbols
    return np.argsort(SYMBOLS)[found - SYMBOLS.min()].astype(np.int32).reshape(height, width)
