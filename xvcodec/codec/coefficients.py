"""Walking over a latent in the order of coding: the same steps for coding and for decoding, integers only.

Positions go in the order of a quincunx, and of each its groups of channels from low to high frequency; one call of
the coder takes a group of all positions of a step. What the other side will know is all that a table depends on.

Inside, channels lie in the order of coding, so that a group is a slice; and what has been found is added to the sums of
later groups at once, because most of it is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.coefficient_contexts import TOP, CoefficientContexts, Floats, Ints
from xvcodec.codec.quantise import SKIP
from xvcodec.models.quincunx import quincunx

Sizes = NDArray[np.uint8]
Take = Callable[[NDArray[np.intp], slice, NDArray[np.uint8]], Ints]
"""(positions [P], channels in the order of coding, tables [P, C]) -> symbols [P, C], zero where the table is NONE."""
Trial = Callable[[int, Take], Ints]
"""Goes over the P positions of a step on trial, several times side by side: (times, takes symbols of rows of these) ->
symbols [times * P, L], in the order of coding."""
Begin = Callable[[int, Ints, Trial], None]
TOLD_WITH = 6
NONE = 0
"""In place of a table: what would have a table below SKIP is zero and not coded, except for the lowest frequency."""


def narrowest(least: int) -> int:
    """`least` where it may be a model's; else ValueError."""
    if not NONE < least <= SKIP:
        raise ValueError(f"the narrowest table of the lowest frequency is {least}, not 1 to {SKIP}")
    return least


class Contexts:
    """`CoefficientContexts` made ready for walking.

    The lowest frequency is coded always, with table `least` (1 to SKIP) at least: light that comes and goes where nothing
    is coded beside (a flash, a strobe) could not begin to be coded otherwise. In files of six clips it costs 0.0 %.
    Pictures of which too much would be lost (a checkerboard of single pixels) code everything so.
    """

    def __init__(self, contexts: CoefficientContexts, least: int) -> None:
        self.least = narrowest(least)
        groups = contexts.layout.groups
        self.order: NDArray[np.intp] = np.concatenate(groups)
        """Channels in the order of coding."""
        self.place = np.argsort(self.order)
        ends = np.cumsum([group.size for group in groups])
        self.slices = [slice(int(end - group.size), int(end)) for group, end in zip(groups, ends, strict=True)]
        around, own, other = contexts.matrices()
        self.around, self.own, self.other = (np.ascontiguousarray(matrix[..., self.order, :][..., self.order])
                                             for matrix in (around, own, other))
        self.bias = contexts.bias[:, self.order].astype(np.float32)
        self.classes = contexts.layout.classes[self.order]
        self.contexts = contexts
        usual = contexts.table(self.bias, self.classes) >= SKIP
        self.usual = np.stack([usual[:, channels].any(1) for channels in self.slices], axis=1)  # [QUALITIES, groups]

    def walk(self, qualities: Ints, other: Sizes | None, take: Take, begin: Begin | None = None,
             everything: bool = False) -> Ints:
        """Go over a latent.

        Args:
            qualities: of each position, whole crf, [h, w].
            other: sizes of another picture's latent, [h * w, L], 0 to 2 TOP, channels in their own order; None for none.
            take: codes or decodes the symbols of a step and group.
            begin: called before each step with its number, the symbols so far (in the order of coding), and a trial.
            everything: whether symbols are coded that nothing hints at, too.
        Returns:
            all symbols, [h * w, L], channels in their own order.
        """
        symbols = np.zeros((qualities.size, self.order.size), np.int32)
        sizes = np.zeros(symbols.shape, np.uint8)
        beside = None if other is None else other[:, self.order]
        for number, step in enumerate(quincunx(*qualities.shape)):
            if not step.places.size:
                continue
            places, quality = step.places, qualities.ravel()[step.places]
            known = self._known(number, step.neighbours, places, sizes, beside, self.bias[quality])
            if begin:
                begin(number, symbols, partial(self._repeat, known, quality, everything))
            symbols[places] = self._groups(*known, quality, everything, partial(_at, places, take))
            sizes[places] = np.minimum(np.abs(symbols[places]), TOP)
        return symbols[:, self.place]

    def _repeat(self, known: tuple[Floats, NDArray[np.bool_]], quality: Ints, everything: bool, times: int,
                take: Take) -> Ints:
        sums, active = known
        return self._groups(np.tile(sums, (times, 1)), np.tile(active, times), np.tile(quality, times), everything, take)

    def _groups(self, sums: Floats, active: NDArray[np.bool_], quality: Ints, everything: bool, take: Take) -> Ints:
        """Go over the groups of some positions, given sums [P, L] of all but their own symbols -> symbols [P, L]."""
        symbols = np.zeros(sums.shape, np.int32)
        for group, channels in enumerate(self.slices):
            coded = everything or group == 0
            rows = np.flatnonzero(active | self.usual[quality, group] | coded)
            if not rows.size:
                continue
            table = self.contexts.table(sums[rows, channels], self.classes[channels])
            table = np.maximum(table, self.least) if coded else np.where(table < SKIP, np.uint8(NONE), table)
            found = take(rows, channels, table)
            some = np.flatnonzero(found.any(1))
            if some.size:
                size = np.minimum(np.abs(found[some]), TOP)
                sums[rows[some]] += size.astype(np.float32) @ self.own[channels]
                active[rows[some]] = True
                symbols[rows[some], channels] = found[some]
        return symbols

    def _known(self, number: int, neighbours: NDArray[np.intp] | None, places: NDArray[np.intp], sizes: Sizes,
               beside: Sizes | None, sums: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Add to the sums of a step's positions [P, L] all but their own symbols; also where something is known at all."""
        active = np.zeros(places.size, bool)
        parts: list[tuple[Sizes, Floats]] = []
        if neighbours is not None:
            a, b, c, d = (sizes[each] for each in neighbours)
            parts.append((a + b + c + d, self.around[number - 1]))  # at most 4 TOP
        if beside is not None:
            parts.append((beside[places], self.other))
        for near, matrix in parts:
            some = np.flatnonzero(near.any(1))
            sums[some] += near[some].astype(np.float32) @ matrix
            active[some] = True
        return sums, active


def told(everything: Sequence[bool]) -> tuple[Ints, NDArray[np.uint8]]:
    """The pass that says which pictures code everything."""
    return np.array(everything, np.int32), tables_of_told(len(everything))


def tables_of_told(pictures: int) -> NDArray[np.uint8]:
    """Tables of that pass: hardly any picture does."""
    return np.full(pictures, TOLD_WITH, np.uint8)


def _at(places: NDArray[np.intp], take: Take, rows: NDArray[np.intp], channels: slice, table: NDArray[np.uint8]) -> Ints:
    return take(places[rows], channels, table)


def sizes_of(symbols: Ints) -> Sizes:
    """Sizes as contexts see them, 0 to TOP."""
    return np.minimum(np.abs(symbols), TOP).astype(np.uint8)
