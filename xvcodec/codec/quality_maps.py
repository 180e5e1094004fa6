"""Lossless coding of the qualities of a GOP's areas: what a key frame and each anchor have against the GOP's quality.

A map holds whole levels, one for each area of 32x32 pixels. The first is coded as it is, each other as its difference to the
one before, all in the order of a quincunx: a level is expected where the middle two of its four neighbours are, and
how far those are apart chooses the table. Integers only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.errors import DamagedError

from xvcodec.models.quincunx import Step, quincunx

Ints = NDArray[np.int32]
UNIT = 4
"""What one level is worth, crf: 13 crf double the quantiser step."""
LIMIT = 15
"""Largest level, either side."""
_FIRST = (12, 17, 20, 21, 22, 23, 25, 27)
_LATER = (11, 16, 18, 21, 22, 23, 24, 24)
"""Tables of the first map and of differences, by how far neighbours lie apart in all."""
_ALONE = (32, 18)
"""Tables where there are no neighbours: of the first map, of differences."""


def encode_maps(maps: Ints) -> list[tuple[Ints, NDArray[np.uint8]]]:
    """Maps to symbols.

    Args:
        maps: int32 [m, h, w], levels within +-LIMIT.
    Returns:
        for each step of the quincunx symbols int32 [n] and tables uint8 [n].
    """
    truth = np.diff(maps, axis=0, prepend=np.int32(0)).reshape(maps.shape[0], -1).T
    passes = []
    for step in quincunx(*maps.shape[1:]):
        prediction, tables = _expected(truth, step)
        passes.append(((truth[step.places] - prediction).ravel(), tables.ravel()))
    return passes


def decode_maps(shape: tuple[int, int, int], read: Callable[[NDArray[np.uint8]], Ints]) -> Ints:
    """The inverse of `encode_maps`.

    Args:
        shape: (m, h, w) of the maps.
        read: decodes the symbols of a step.
    Raises:
        DamagedError: a level leaves +-LIMIT.
    """
    count, height, width = shape
    found = np.zeros((height * width, count), np.int32)
    for step in quincunx(height, width):
        prediction, tables = _expected(found, step)
        found[step.places] = _within(read(tables.ravel()), 4 * LIMIT).reshape(prediction.shape) + prediction
    return _within(np.cumsum(found.T.reshape(shape), axis=0, dtype=np.int32), LIMIT)


def _within(values: Ints, limit: int) -> Ints:
    if values.size and not -limit <= values.min() <= values.max() <= limit:
        raise DamagedError("the quality of an area is out of its range: the file is damaged")
    return values


def _expected(found: Ints, step: Step) -> tuple[Ints, NDArray[np.uint8]]:
    """Predictions and tables of a step's places, [P, m]."""
    shape = (step.places.size, found.shape[1])
    if step.neighbours is None:
        alone = np.full(shape, _ALONE[1], np.uint8)
        alone[:, :1] = _ALONE[0]
        return np.zeros(shape, np.int32), alone
    near = np.sort(found[step.neighbours], axis=0)  # [4, P, m]
    middle = near[1] + near[2]
    prediction = (middle + (middle < 0)) >> 1
    spread = np.minimum(np.abs(near - prediction).sum(0), len(_FIRST) - 1)
    tables = np.asarray(_LATER, np.uint8)[spread]
    tables[:, :1] = np.asarray(_FIRST, np.uint8)[spread[:, :1]]
    return prediction, tables
