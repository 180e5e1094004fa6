"""Rounding of latents: to the integers that are worth their bits, with the tables by which they will be coded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.coefficient_contexts import Floats, Ints
from xvcodec.codec.coefficients import NONE, Begin, told
from xvcodec.codec.family import PassStream
from xvcodec.codec.latent_arrays import sizes_beside, whole_qualities
from xvcodec.codec.masking import Masking, frequency_weights
from xvcodec.codec.shifts import Pass, shift
from xvcodec.models.coder import AREA
from xvcodec.models.warp import BLOCK

if TYPE_CHECKING:
    from xvcodec.codec.crossmodal import CrossmodalCodec

LOST, DEAR, CHEAP = 1.5, 14.0, 0.014
"""Quantiser steps beyond which rounding alone makes nothing zero; bits of a symbol where none is expected, and of a zero."""


@dataclass(frozen=True)
class Walked:
    """A latent as it may be coded."""

    symbols: Ints  # [h * w, L], channels in their own order
    passes: list[Pass]
    everything: bool  # whether symbols are coded that nothing hints at, too
    joined: Tensor  # symbols as they are without cuts, [1, L, h, w] on the runtime's device
    cuts: Ints | None = None  # of a key frame, [h, w]


class Rounder:
    """Rounds the latents of a GOP, by kind one after another, and keeps those that are chosen.

    Args of the constructor:
        codec: whose tables and prices they are. quality_of: crf of areas by kind, [n, H/32, W/32].
        used: frames between of each chunk. masking: what errors count where; None: the same everywhere.
    """

    def __init__(self, codec: CrossmodalCodec, quality_of: dict[str, Floats], used: list[int],
                 masking: Masking | None = None) -> None:
        self.codec, self.quality_of, self.used, self.masking = codec, quality_of, used, masking
        self.latents: dict[str, list[Ints]] = {}
        self.passes: dict[str, list[Pass]] = {}
        self.everything: dict[str, list[bool]] = {}

    def done(self, kind: str) -> int:
        """Latents of a kind that are kept already."""
        return len(self.latents.get(kind, []))

    def quality(self, kind: str) -> Floats:
        """Of the next latent of a kind, crf of its areas, [H/32, W/32]."""
        return self.quality_of[kind][self.done(kind)]

    def blocks(self, kind: str) -> Floats | None:
        """What errors of the next latent of a kind count in each block of 8x8 pixels, [H/8, W/8]."""
        return None if self.masking is None else self.masking.weights[kind][self.done(kind)]

    def walk(self, kind: str, rest: Floats, begin: Begin | None = None) -> tuple[Ints, list[Pass], bool]:
        """Round what remains of a latent, [h * w, L] in quantiser steps, channels in the order of coding; see `Walked`."""
        symbols, passes = self._round(kind, rest, begin, everything=False)
        if everything := self._too_much_lost(rest, symbols[:, self.codec.contexts[kind].order]):
            symbols, passes = self._round(kind, rest, begin, everything)
        return symbols, passes, everything

    def keep(self, kind: str, walked: Walked) -> None:
        """This is how the next latent of a kind is coded."""
        self.passes.setdefault(kind, []).extend(walked.passes)
        self.everything.setdefault(kind, []).append(walked.everything)
        self.latents.setdefault(kind, []).append(walked.symbols.T.reshape(walked.joined.shape[1:]))

    def worth(self, walked: Walked) -> float:
        """What the bits of a latent are worth, squared quantiser steps."""
        return self.codec.quantiser.price * float(sum(self.codec.quantiser.bits(*each).sum() for each in walked.passes))

    def _round(self, kind: str, rest: Floats, begin: Begin | None, everything: bool) -> tuple[Ints, list[Pass]]:
        """Symbols [h * w, L], channels in their own order, and the passes that code them."""
        passes = list[Pass]()
        weigh = self._weights(kind)

        def take(places: NDArray[np.intp], channels: slice, table: NDArray[np.uint8]) -> Ints:
            found = self.codec.quantiser.whole(rest[places, channels], table, weigh and weigh(places, channels))
            kept = table != NONE
            passes.append((found[kept], table[kept]))
            return found

        other = sizes_beside(kind, self.done(kind), self.used, self.latents)
        quality = whole_qualities(self.quality(kind), AREA // getattr(self.codec.module, kind).patch)
        return self.codec.contexts[kind].walk(quality, other, take, begin, everything), passes

    def _too_much_lost(self, rest: Floats, symbols: Ints) -> bool:
        """Whether what nothing hinted at would be worth more than its bits and those of saying that all else is zero."""
        lost = np.abs(rest[(np.abs(rest) > LOST) & (symbols == 0)])
        price = self.codec.quantiser.price
        return float(np.square(lost).sum() - price * DEAR * lost.size) > 2.0 * price * CHEAP * rest.size

    def _weights(self, kind: str) -> Callable[[NDArray[np.intp], slice], Floats] | None:
        """What errors of the next latent count: at positions [P], in channels in the order of coding -> [P, C]."""
        blocks = self.blocks(kind)
        if blocks is None:
            return None
        coder = getattr(self.codec.module, kind)
        side = coder.patch // BLOCK
        there = blocks.reshape(blocks.shape[0] // side, side, -1, side).mean((1, 3)).ravel()
        frequency = frequency_weights(coder.patch, coder.pictures, self.codec.hidden)[self.codec.contexts[kind].order]
        return lambda places, channels: there[places, None] * frequency[channels]

    def streams(self, names: Mapping[str, str]) -> list[PassStream]:
        """All latents by the names of their kinds, pictures stacked."""
        return [PassStream(names[kind], (len(each), *each[0].shape),
                           [told(self.everything[kind]), *shift(self.passes[kind], self.codec.prices)])
                for kind, each in self.latents.items()]
