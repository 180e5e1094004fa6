"""One encoding pass over a GOP of the crossmodal family, and what the decoder does in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from xvcodec.codec.coefficient_contexts import Floats, Ints
from xvcodec.codec.coefficients import NONE, Begin, Trial, told
from xvcodec.codec.cut_maps import encode_cuts
from xvcodec.codec.cutting import Cutter
from xvcodec.codec.family import Guide, PassStream
from xvcodec.codec.latent_arrays import caption_of, latent_of, quality_map, rows_of, sizes_beside, whole_qualities
from xvcodec.codec.masking import Masking, frequency_weights
from xvcodec.codec.refining import goal_of
from xvcodec.codec.shifts import Pass, shift
from xvcodec.models.coder import AREA
from xvcodec.models.quincunx import quincunx
from xvcodec.models.warp import BLOCK

if TYPE_CHECKING:
    from xvcodec.codec.crossmodal import CrossmodalCodec

LOST, DEAR, CHEAP = 1.5, 14.0, 0.014
"""Quantiser steps beyond which rounding alone makes nothing zero; bits of a symbol where none is expected, and of a zero."""


LARGEST = 1 << 21
"""Pixels that are refined together, of a picture or of three frames between: gradients take up to a kilobyte for each."""
Decoded = Callable[[], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Walked:
    """A latent as it may be coded."""

    symbols: Ints  # [h * w, L], channels in their own order
    passes: list[Pass]
    everything: bool  # whether symbols are coded that nothing hints at, too
    joined: Tensor  # symbols as they are without cuts, [1, L, h, w] on the runtime's device
    cuts: Ints | None = None  # of a key frame, [h, w]


class EncodingPass:
    """Runs the steps, keeps the symbols: what is coded is coded from what the decoder will have."""

    def __init__(self, codec: CrossmodalCodec, quality_of: dict[str, Floats], guide: Guide, used: list[int],
                 masking: Masking | None = None, rounds: Mapping[str, int] | None = None) -> None:
        self.codec, self.runtime, self.used, self.masking = codec, codec.runtime, used, masking
        self.quality_of, self.guide, self.rounds = quality_of, guide, rounds or {}
        self.latents: dict[str, list[Ints]] = {}
        self.passes: dict[str, list[Pass]] = {}
        self.everything: dict[str, list[bool]] = {}
        self.cuts: Ints  # of the key frame, [h, w]

    def key(self, luma: Tensor, chroma: Tensor) -> tuple[Tensor, ...]:
        """Code a key frame and return what the decoder will have: luma, chroma."""
        q = self._quality("key")
        caption = caption_of("key", self.guide)
        latent = self.runtime.run("key.analyse", (luma, chroma, q, *caption))[0]

        def decoded(symbols: Tensor) -> Tensor:
            means = self.runtime.run("key.context", (symbols, q))[0]
            return symbols + F.pad(means, (0, 0, 0, 0, 0, symbols.shape[1] - means.shape[1]))

        walked = self._refined("key", latent, lambda latent: self._walk_key(latent, q), decoded, (luma, chroma), caption, q)
        assert walked.cuts is not None
        self.cuts = walked.cuts
        return self.runtime.run("key.synthesise", (walked.joined, q, *caption))

    def _walk_key(self, latent: Tensor, q: Tensor) -> Walked:
        """Round the latent of a key frame, less what neighbours tell, and cut its patches."""
        contexts = self.codec.contexts["key"]
        cutter = Cutter(self.codec, q, latent.shape)
        rest = np.empty((latent[0, 0].numel(), latent.shape[1]), np.float32)

        def expect(number: int, symbols: Ints, trial: Trial) -> None:
            """Take off what the neighbours that are final tell, the first step has none, and cut what remains."""
            left = latent
            if number:
                so_far = cutter.join(latent_of(symbols[:, contexts.place], latent.shape))
                means = self.runtime.run("key.context", (so_far, q))[0]
                left = torch.cat((latent[:, : means.shape[1]] - means, latent[:, means.shape[1] :]), dim=1)
            places = quincunx(*latent.shape[2:])[number].places
            rest[places] = cutter.cut(left, places, trial)

        symbols, passes, everything = self._walk("key", rest, expect)
        return Walked(symbols, passes, everything, cutter.join(latent_of(symbols, latent.shape)), cutter.map)

    def predicted(self, kind: str, luma: Tensor, chroma: Tensor, state: tuple[Tensor, ...]) -> Decoded:
        """Code predicted pictures and return what makes of them what the decoder will have: luma, chroma."""
        q = self._quality(kind)
        latent = self.runtime.run(f"{kind}.analyse", (luma, chroma, *state, q))[0]

        def walk(latent: Tensor) -> Walked:
            symbols, passes, everything = self._walk(kind, rows_of(latent, self.codec.contexts[kind].order))
            return Walked(symbols, passes, everything, latent_of(symbols, latent.shape).to(latent.device))

        walked = self._refined(kind, latent, walk, lambda symbols: symbols, (luma, chroma), state, q)
        return partial(self.runtime.run, f"{kind}.synthesise", (walked.joined, *state, q))

    def _refined(self, kind: str, latent: Tensor, walk: Callable[[Tensor], Walked], decoded: Callable[[Tensor], Tensor],
                 picture: Sequence[Tensor], state: Sequence[Tensor], q: Tensor) -> Walked:
        """Round a latent in as many rounds as the codec has for its kind, and keep the best.

        Args:
            walk: rounds. decoded: from symbols to the latent that decoders have. picture, state: see `goal_of`.
        """
        walked = walk(latent)
        rounds = self.rounds.get(kind, 0)
        if rounds and picture[0].numel() <= LARGEST:
            blocks = None if self.masking is None else torch.from_numpy(self.masking.weights[kind][self._done(kind)])
            goal = goal_of(self.runtime.module or self.codec.module, kind, picture, state, q, blocks)
            tried = [walked]
            for _ in range(rounds):
                latent = goal.nearer(latent, decoded(tried[-1].joined))
                tried.append(walk(latent))
            walked = min(tried, key=lambda each: goal.wrong(decoded(each.joined)) + self._worth(each))
        self.passes.setdefault(kind, []).extend(walked.passes)
        self.everything.setdefault(kind, []).append(walked.everything)
        self.latents.setdefault(kind, []).append(walked.symbols.T.reshape(latent.shape[1:]))
        return walked

    def _worth(self, walked: Walked) -> float:
        """What the bits of a latent are worth, squared quantiser steps."""
        return self.codec.quantiser.price * float(sum(self.codec.quantiser.bits(*each).sum() for each in walked.passes))

    def _done(self, kind: str) -> int:
        """Latents of a kind that are coded already."""
        return len(self.latents.get(kind, []))

    def _quality(self, kind: str) -> Tensor:
        return quality_map(self.quality_of[kind][self._done(kind)], self.runtime.device)

    def _walk(self, kind: str, rest: Floats, begin: Begin | None = None) -> tuple[Ints, list[Pass], bool]:
        """Round what remains of a latent, [h * w, L] in quantiser steps, channels in the order of coding; see `Walked`."""
        symbols, passes = self._round(kind, rest, begin, everything=False)
        if everything := self._too_much_lost(rest, symbols[:, self.codec.contexts[kind].order]):
            symbols, passes = self._round(kind, rest, begin, everything)
        return symbols, passes, everything

    def _round(self, kind: str, rest: Floats, begin: Begin | None, everything: bool) -> tuple[Ints, list[Pass]]:
        """Symbols [h * w, L], channels in their own order, and the passes that code them."""
        passes, done = list[Pass](), self._done(kind)
        weigh = self._weights(kind, done)

        def take(places: NDArray[np.intp], channels: slice, table: NDArray[np.uint8]) -> Ints:
            found = self.codec.quantiser.whole(rest[places, channels], table, weigh and weigh(places, channels))
            kept = table != NONE
            passes.append((found[kept], table[kept]))
            return found

        other = sizes_beside(kind, done, self.used, self.latents)
        quality = whole_qualities(self.quality_of[kind][done], AREA // getattr(self.codec.module, kind).patch)
        return self.codec.contexts[kind].walk(quality, other, take, begin, everything), passes

    def _too_much_lost(self, rest: Floats, symbols: Ints) -> bool:
        """Whether what nothing hinted at would be worth more than its bits and those of saying that all else is zero."""
        lost = np.abs(rest[(np.abs(rest) > LOST) & (symbols == 0)])
        price = self.codec.quantiser.price
        return float(np.square(lost).sum() - price * DEAR * lost.size) > 2.0 * price * CHEAP * rest.size

    def _weights(self, kind: str, number: int) -> Callable[[NDArray[np.intp], slice], Floats] | None:
        """What errors count in latent `number` of a kind: at positions [P], in channels in the order of coding -> [P, C]."""
        if self.masking is None:
            return None
        coder, blocks = getattr(self.codec.module, kind), self.masking.weights[kind][number]
        side = coder.patch // BLOCK
        there = blocks.reshape(blocks.shape[0] // side, side, -1, side).mean((1, 3)).ravel()
        frequency = frequency_weights(coder.patch, coder.pictures, self.codec.hidden)[self.codec.contexts[kind].order]
        return lambda places, channels: there[places, None] * frequency[channels]

    def streams(self, names: Mapping[str, str]) -> list[PassStream]:
        """All latents by the names of their kinds, pictures stacked, and the cuts of the key frame."""
        latents = [PassStream(names[kind], (len(each), *each[0].shape),
                              [told(self.everything[kind]), *shift(self.passes[kind], self.codec.prices)])
                   for kind, each in self.latents.items()]
        if not self.codec.module.config.cuts:
            return latents
        return [*latents, PassStream("key.cuts", (1, *self.cuts.shape), encode_cuts(self.cuts, self.latents["key"][0]))]
