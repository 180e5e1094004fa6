"""What tables of tokens depend on: sizes around them, in their own picture and in related ones. Integers only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.token_contexts import FLAG_FEATURES, TOKEN, Ints
from xvcodec.codec.token_layers import Layer

Patches = NDArray[np.intp]


class Surroundings:
    """Of the tokens of a GOP, as far as they are known."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers

    def tokens(self, layer: Layer, token: int, patches: Patches) -> Ints:
        """Around the tokens of some patches, [n, FLAG_FEATURES]."""
        found = np.zeros((patches.size, len(FLAG_FEATURES)), np.int32)
        place, row, sums = layer.inner[patches], layer.row, layer.padded[1]
        if layer.filled:
            direct = (-1, 1, -row, row)
            own = np.ascontiguousarray(sums[:, token])
            found[:, 0] = sum(own[place + step].astype(np.int32) for step in direct)
            found[:, 1] = sum(own[place + step].astype(np.int32) for step in (-row - 1, 1 - row, row - 1, row + 1))
            if token:
                lower = sums[:, :token].sum(1, dtype=np.int32)
                found[:, 2], found[:, 3] = sums[place, token - 1], lower[place]
                found[:, 5] = sum(lower[place + step] for step in direct)
        for mine, its, there in self._related(layer, patches):
            found[mine, 4] += its.padded[1][there, token]
        return found

    def _related(self, layer: Layer, patches: Patches) -> Iterator[tuple[Patches, Layer, Patches]]:
        """Of each picture and each related one: which patches are of that picture, and where in the other's layer."""
        area = layer.shape[1] * layer.shape[2]
        picture = patches // area
        for number, parents in enumerate(layer.parents):
            used = [(self.layers[other], place) for other, place in parents if self.layers[other].filled]
            mine = np.flatnonzero(picture == number) if used else np.zeros(0, np.intp)
            for its, place in used if mine.size else ():
                yield mine, its, its.inner[patches[mine] + (place - number) * area]

    def coefficients(self, layer: Layer, here: Patches, token: int, part: slice) -> tuple[Ints, Ints]:
        """Sizes of coefficients next in frequency to those of a part, of the own patch and of four neighbours, [n, PART]."""
        sizes = layer.padded[0].reshape(-1, layer.shape[3] * TOKEN)
        next_to = layer.next_to[:, token * TOKEN + part.start : token * TOKEN + part.stop]
        some = np.flatnonzero(next_to.any(1))
        own = sizes[here[:, None], some]
        near = sum(sizes[here[:, None] + step, some].astype(np.int32) for step in (-1, 1, -layer.row, layer.row))
        return tuple((each.astype(np.float32) @ next_to[some]).astype(np.int32) for each in (own, near))  # type: ignore

    def parents(self, layer: Layer, patches: Patches, token: int) -> Ints:
        """Sizes of the same coefficients in related pictures, [n, TOKEN]."""
        sizes = np.zeros((patches.size, TOKEN), np.int32)
        for mine, its, there in self._related(layer, patches):
            sizes[mine] += its.padded[0][there, token]
        return sizes
