"""Walking over a latent in the order of coding: the same steps for coding and for decoding, integers only.

Positions go in the order of a quincunx, and of each its groups of channels from low to high frequency; one call of
the coder takes a group of all positions of a step. What the other side will know is all that a table depends on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.coefficient_contexts import TOP, CoefficientContexts, Floats, Ints
from xvcodec.codec.quantise import SKIP
from xvcodec.codec.quincunx import quincunx

Take = Callable[[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]], Ints]
"""(positions [P], channels [C], tables [P, C]) -> symbols [P, C], zero where the table is below SKIP."""


class Contexts:
    """`CoefficientContexts` made ready for walking."""

    def __init__(self, contexts: CoefficientContexts) -> None:
        self.contexts, self.groups = contexts, contexts.layout.groups
        self.around, own, self.other = contexts.matrices()
        self.own = [np.ascontiguousarray(own[:, channels]) for channels in self.groups]

    def walk(self, height: int, width: int, quality: float, other: Floats | None, take: Take,
             begin: Callable[[int, Ints], None] = lambda number, symbols: None) -> Ints:
        """Go over a latent of height x width positions.

        Args:
            quality: of the picture, crf.
            other: sizes of another picture's latent, [h * w, L], whole numbers from 0 to 2 TOP; None for none.
            take: codes or decodes the symbols of a step and group.
            begin: called before each step with its number and the symbols so far, [h * w, L].
        Returns:
            all symbols, [h * w, L].
        """
        bias = self.contexts.bias[int(quality)].astype(np.float32)
        symbols = np.zeros((height * width, bias.size), np.int32)
        sizes = np.zeros((height * width, bias.size), np.float32)
        usual = [self.contexts.table(bias[channels], channels) for channels in self.groups]
        for number, step in enumerate(quincunx(height, width)):
            if not step.places.size:
                continue
            begin(number, symbols)
            near = None if step.neighbours is None else sizes[step.neighbours].sum(0)
            beside = None if other is None else other[step.places]
            active = np.zeros(step.places.size, bool)
            for known in (near, beside):
                if known is not None:
                    active |= known.any(1)
            sums = np.repeat(bias[None], step.places.size, 0)
            if near is not None:
                sums[active] += near[active] @ self.around[number - 1]
            if beside is not None:
                sums[active] += beside[active] @ self.other
            mine = np.zeros((step.places.size, bias.size), np.float32)
            for channels, own, plain in zip(self.groups, self.own, usual, strict=True):
                rows = np.flatnonzero(active) if plain.max() < SKIP else np.arange(active.size)
                if not rows.size:
                    continue
                table = self.contexts.table(sums[np.ix_(rows, channels)] + mine[rows] @ own, channels)
                found = take(step.places[rows], channels, table)
                symbols[np.ix_(step.places[rows], channels)] = found
                mine[np.ix_(rows, channels)] = size = np.minimum(np.abs(found), TOP)
                active[rows] |= size.any(1)
            sizes[step.places] = mine
        return symbols


def sizes_of(symbols: Ints) -> Floats:
    """Sizes as contexts see them, whole float32 numbers from 0 to TOP."""
    return np.minimum(np.abs(symbols), TOP).astype(np.float32)
