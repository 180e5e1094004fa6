"""One encoding pass over a GOP of the crossmodal family, and what the decoder does in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.codec.coefficient_contexts import Floats, Ints
from xvcodec.codec.coefficients import Trial
from xvcodec.codec.cut_maps import encode_cuts
from xvcodec.codec.cutting import Cutter
from xvcodec.codec.family import Guide, PassStream
from xvcodec.codec.latent_arrays import caption_of, latent_of, quality_map, rows_of
from xvcodec.codec.masking import Masking
from xvcodec.codec.refining import goal_of
from xvcodec.codec.rounding import Rounder, Walked
from xvcodec.models.quincunx import quincunx

if TYPE_CHECKING:
    from xvcodec.codec.crossmodal import CrossmodalCodec

LARGEST = 1 << 21
"""Pixels that are refined together, of a picture or of three frames between: gradients take up to a kilobyte for each."""
Decoded = Callable[[], tuple[Tensor, ...]]


class EncodingPass:
    """Runs the steps, keeps the symbols: what is coded is coded from what the decoder will have."""

    def __init__(self, codec: CrossmodalCodec, quality_of: dict[str, Floats], guide: Guide, used: list[int],
                 masking: Masking | None = None, rounds: Mapping[str, int] | None = None) -> None:
        self.codec, self.runtime, self.guide, self.rounds = codec, codec.runtime, guide, rounds or {}
        self.rounder = Rounder(codec, quality_of, used, masking)
        self.cuts: Ints  # of the key frame, [h, w]

    def key(self, luma: Tensor, chroma: Tensor) -> tuple[Tensor, ...]:
        """Code a key frame and return what the decoder will have: luma, chroma."""
        q = quality_map(self.rounder.quality("key"), self.runtime.device)
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

        symbols, passes, everything = self.rounder.walk("key", rest, expect)
        return Walked(symbols, passes, everything, cutter.join(latent_of(symbols, latent.shape)), cutter.map)

    def predicted(self, kind: str, luma: Tensor, chroma: Tensor, state: tuple[Tensor, ...]) -> Decoded:
        """Code predicted pictures and return what makes of them what the decoder will have: luma, chroma."""
        q = quality_map(self.rounder.quality(kind), self.runtime.device)
        latent = self.runtime.run(f"{kind}.analyse", (luma, chroma, *state, q))[0]

        def walk(latent: Tensor) -> Walked:
            symbols, passes, everything = self.rounder.walk(kind, rows_of(latent, self.codec.contexts[kind].order))
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
            blocks = self.rounder.blocks(kind)
            goal = goal_of(self.runtime.module or self.codec.module, kind, picture, state, q, self.runtime.precision,
                           None if blocks is None else torch.from_numpy(blocks))
            tried = [walked]
            for _ in range(rounds):
                latent = goal.nearer(latent, decoded(tried[-1].joined))
                tried.append(walk(latent))
            walked = min(tried, key=lambda each: goal.wrong(decoded(each.joined)) + self.rounder.worth(each))
        self.rounder.keep(kind, walked)
        return walked

    def streams(self, names: Mapping[str, str]) -> list[PassStream]:
        """All latents by the names of their kinds, pictures stacked, and the cuts of the key frame."""
        latents = self.rounder.streams(names)
        if not self.codec.module.config.cuts:
            return latents
        return [*latents, PassStream("key.cuts", (1, *self.cuts.shape),
                                     encode_cuts(self.cuts, self.rounder.latents["key"][0]))]
