"""One differentiable pass of a clip through a crossmodal model: the codec as it will be, with estimated rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from xvcodec.codec.crossmodal import PRICE
from xvcodec.codec.qualities import quality_between
from xvcodec.codec.quantise import SKIP
from xvcodec.models.coder import AREA
from xvcodec.models.crossmodal import BETWEEN, CHUNK, Crossmodal, Picture, pack, pack_several, unpack
from xvcodec.models.cuts import cut, join
from xvcodec.models.transform import PACKED
from xvcodec.training.contexts import BatchContexts, sizes_beside, sizes_of
from xvcodec.training.cuts import chosen
from xvcodec.training.rate import geometric_bits, lowered

ROUNDS = 2
"""Which symbols are skipped depends on other symbols: it is settled in so many rounds, from none."""

USUAL = {"key": -12.0, "anchor": -2.0}
"""What areas of a clip's pictures have against its quality, crf, on average over the GOPs of people."""


@dataclass
class State:
    """What later pictures of a GOP depend on."""

    picture: Picture  # decoded
    sizes: Tensor | None = None  # of the symbols of an anchor; None of a key frame

    def detach(self) -> State:
        """The same without history."""
        return State(self.picture.detach(), self.sizes)


@dataclass
class Coded:
    """Result of a pass over N clips."""

    error: Tensor  # [N, 1 + 2n] squared error per luma pixel: key (if any), then of each chunk the anchor and the
    # frames between (mean)
    bits: Tensor  # estimated bits, in the same order
    quality: Tensor  # quality (crf) that each was coded at, in the same order
    last: State  # of the last anchor or key frame


Expected = tuple[Tensor, Tensor]
"""Mean sizes and tables of symbols."""


def settle(latent: Tensor, mean_of: Callable[[Expected], Tensor | float],
           expect: Callable[[Tensor], Expected]) -> tuple[Tensor, Tensor | float, Tensor]:
    """Round a latent.

    Args:
        latent: [N, L, h, w] in quantiser steps.
        mean_of: what to take off before rounding, given what is expected.
        expect: given symbols, what is expected of each.
    Returns:
        symbols, gradient passed through; what was taken off; estimated bits [N].
    """
    expected = torch.ones_like(latent), torch.full_like(latent, SKIP)
    with torch.no_grad():
        for _ in range(ROUNDS):
            expected = expect(lowered(latent - mean_of(expected), *expected, PRICE))
    mean = mean_of(expected)
    rest = latent - mean
    symbols = lowered(rest, *expected, PRICE)
    bits = torch.where(expected[1] < SKIP, 0.0, geometric_bits(symbols, rest, expected[0]))
    return symbols, mean, bits.flatten(1).sum(1)


def run(model: Crossmodal, contexts: Mapping[str, BatchContexts], luma: Tensor, chroma: Tensor, fields: Tensor, q: Tensor,
        text: Tensor, mask: Tensor, before: State | None = None) -> Coded:
    """Code clips of 1 + 4n frames from their key frame, or the 4n frames that follow `before`; closed loop.

    Args:
        contexts: by kind of picture.
        luma: [N, T, 1, H, W]; chroma: [N, T, 2, H/2, W/2]; both in [-0.5, 0.5].
        fields: [N, n, 4, 3, H/8, W/8] quarter pixels and sides.
        q: [N] nominal qualities of the GOPs (photographs: T = 1); text: [N, K, D] and mask [N, K]: captions.
        before: the anchor in front of the frames; None begins with a key frame.
    """
    pass_ = _Pass(model, contexts, _qualities(model, q, luma.shape[1] + 4 * (before is not None)))
    first = 0
    if before is None:
        before = pass_.key(luma[:, 0], chroma[:, 0], text, mask)
        first = 1
    for chunk in range(fields.shape[1]):
        start = first + chunk * CHUNK
        last, middle = start + BETWEEN, slice(start, start + BETWEEN)
        after = pass_.anchor(luma[:, last], chroma[:, last], before, fields[:, chunk])
        pass_.between(luma[:, middle], chroma[:, middle], before, after, fields[:, chunk])
        before = after
    error, bits, quality = (torch.stack(each, dim=1) for each in zip(*pass_.units, strict=True))
    return Coded(error, bits, quality, before)


class _Pass:
    """Codes pictures one after the other and keeps what came of it."""

    def __init__(self, model: Crossmodal, contexts: Mapping[str, BatchContexts], of: dict[str, Tensor]) -> None:
        self.model, self.contexts, self.of = model, contexts, of
        self.units: list[tuple[Tensor, Tensor, Tensor]] = []  # error, bits, quality

    def key(self, luma: Tensor, chroma: Tensor, text: Tensor, mask: Tensor) -> State:
        """A key frame."""
        coder, quality, truth = self.model.key, self.of["key"], pack(luma, chroma)
        q = _areas(quality, luma)
        leading = coder.context.channels
        latent = coder.latent(truth, q, text, mask)

        def mean_of(expected: Expected) -> Tensor:
            size, table = (each[:, :leading] for each in expected)
            return coder.means(q, latent, lambda means: lowered(latent[:, :leading] - means, size, table, PRICE))

        def expect(known: Tensor) -> Expected:
            return self.contexts["key"](known, quality)

        symbols, mean, bits = settle(latent, mean_of, expect)
        if self.model.config.cuts:  # with the means of neighbours that are whole, and without the few bits of the cuts
            rest, step = latent - mean, coder.step(q)
            cuts = chosen(rest, step, *expect(symbols), PRICE)
            symbols, _, bits = settle(cut(rest, cuts, step), lambda _: 0.0, expect)
            symbols = join(symbols, cuts, step)
        decoded = coder.pictures_of(symbols + mean, q, text, mask)
        self._note("key", decoded, truth, bits)
        return State(Picture(*unpack(decoded)))

    def anchor(self, luma: Tensor, chroma: Tensor, before: State, fields: Tensor) -> State:
        """The last frame of a chunk."""
        base = self.model.predict_anchor(before.picture, fields[:, 0])
        decoded, symbols = self._predicted("anchor", pack(luma, chroma), before.sizes, base)
        return State(Picture(*unpack(decoded)), sizes_of(symbols))

    def between(self, luma: Tensor, chroma: Tensor, before: State, after: State, fields: Tensor) -> None:
        """The frames between two anchors."""
        assert after.sizes is not None
        shares = (torch.arange(1, CHUNK, device=luma.device) / CHUNK).expand(luma.shape[0], BETWEEN)
        predicted = self.model.predict_between(before.picture, after.picture, fields, shares)
        self._predicted("between", pack_several(luma.flatten(0, 1), chroma.flatten(0, 1)),
                        sizes_beside(after.sizes, before.sizes), *predicted)

    def _predicted(self, kind: str, truth: Tensor, other: Tensor | None, base: Tensor,
                   *beside: Tensor) -> tuple[Tensor, Tensor]:
        """Decoded packed pictures, and symbols."""
        coder, quality = getattr(self.model, kind), self.of[kind]
        q = _areas(quality, truth, PACKED)
        symbols, _, bits = settle(coder.analyse(truth, base, q), lambda _: 0.0,
                                  lambda known: self.contexts[kind](known, quality, other))
        decoded = coder.synthesise(symbols, base, q, *beside)
        self._note(kind, decoded, truth, bits)
        return decoded, symbols

    def _note(self, kind: str, decoded: Tensor, truth: Tensor, bits: Tensor) -> None:
        error = (decoded - truth).square().flatten(1).mean(1) * 1.5  # per luma pixel
        self.units.append((error, bits, self.of[kind]))


def _areas(quality: Tensor, picture: Tensor, scale: int = 1) -> Tensor:
    """One quality [N] for all areas of a picture [N, .., H, W] whose positions are `scale` pixels: [N, 1, H/32, W/32]."""
    height, width = (size * scale // AREA for size in picture.shape[-2:])
    return quality[:, None, None, None].expand(-1, 1, height, width)


def _qualities(model: Crossmodal, q: Tensor, frames: int) -> dict[str, Tensor]:
    """Quality of each kind of picture, [N] each; a clip stands for the start of a long GOP."""
    between = torch.tensor([quality_between(model.config, quality) for quality in q.tolist()], device=q.device)
    usual = {kind: (q + (offset if frames > 1 else 0.0)).clamp(0.0, 63.0) for kind, offset in USUAL.items()}
    return usual | {"between": between}
