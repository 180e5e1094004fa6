"""One differentiable pass of a clip through a crossmodal model: the codec as it will be, with estimated rates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xvcodec.codec.crossmodal import LONG, qualities
from xvcodec.models.coder import ConditionalCoder
from xvcodec.models.crossmodal import BETWEEN, CHUNK, Crossmodal, Picture, pack, pack_several, unpack
from xvcodec.models.steps import KINDS
from xvcodec.training.rate import laplace_bits, noisy, quantised, rounded, scale_of, unless_skipped


@dataclass
class Coded:
    """Result of a pass over N clips."""

    error: Tensor  # [N, 1 + 2n] squared error per luma pixel: key (if any), then of each chunk the anchor and the
    # frames between (mean)
    bits: Tensor  # estimated bits, in the same order
    quality: Tensor  # quality (crf) that each was coded at, in the same order
    parts: dict[str, Tensor]  # [N] bits by stream, for the log
    last: Picture  # the last decoded anchor or key frame


def code(coder: ConditionalCoder, pictures: Tensor, base: Tensor, hints: Tensor, q: Tensor, text: Tensor, mask: Tensor,
         hard: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Encode and decode packed pictures with estimated rates.

    Returns:
        decoded packed pictures, memory, latent bits [N], hyper-latent bits [N].
    """
    y = coder.analyse(pictures, base, hints, q, text, mask)
    z = coder.prior.hyper(y)
    z_hat = rounded(z)
    with torch.autocast(y.device.type, enabled=False):
        index = coder.prior.scales(z_hat.float(), q)
        z_index = coder.prior.scales.hyper_indices(q)
    channels = coder.config.context
    mean = coder.means(z_hat, base, hints, q)
    mean = coder.expected(mean, q, lambda means: quantised(y[:, :channels] - means, index[:, :channels]))
    residual = y - mean
    symbols = quantised(residual, index)
    y_bits = unless_skipped(laplace_bits(symbols if hard else noisy(residual), scale_of(index)), index).flatten(1).sum(1)
    z_bits = laplace_bits(z_hat if hard else noisy(z), scale_of(z_index)).flatten(1).sum(1)
    decoded, memory = coder.synthesise(symbols + mean, base, hints, q, text, mask)
    return decoded, memory, y_bits, z_bits


def _error(decoded: Tensor, truth: Tensor) -> Tensor:
    """[N, 96 f, h, w] twice -> [N] squared error per luma pixel, mean over the pictures."""
    return (decoded - truth).square().flatten(1).mean(1) * 1.5


def run(model: Crossmodal, luma: Tensor, chroma: Tensor, fields: Tensor, q: Tensor, text: Tensor, mask: Tensor,
        before: Picture | None = None, hard: bool = False) -> Coded:
    """Code clips of 1 + 4n frames from their key frame, or the 4n frames that follow `before`; closed loop.

    Args:
        luma: [N, T, 1, H, W]; chroma: [N, T, 2, H/2, W/2]; both in [-0.5, 0.5].
        fields: [N, n, 4, 3, H/8, W/8] quarter pixels and sides.
        q: [N] nominal qualities of the GOPs (photographs: T = 1); text: [N, K, D] and mask [N, K]: captions.
        before: the decoded anchor in front of the frames; None begins with a key frame.
        hard: round for the rate as well, as coding does, instead of adding noise.
    """
    pass_ = _Pass(model, _qualities(model, q, luma.shape[1] + 4 * (before is not None)), (text, mask), hard)
    first = 0
    if before is None:
        base, hints = model.predict_key(luma.shape[0], luma.shape[-2], luma.shape[-1], luma.device)
        before = pass_.single("key", luma[:, 0], chroma[:, 0], base, hints)
        first = 1
    shares = (torch.arange(1, CHUNK, device=luma.device) / CHUNK).expand(luma.shape[0], BETWEEN)
    for chunk in range(fields.shape[1]):
        start = first + chunk * CHUNK
        last, middle = start + BETWEEN, slice(start, start + BETWEEN)
        base, hints = model.predict_anchor(before, fields[:, chunk, 0, :2])
        after = pass_.single("anchor", luma[:, last], chroma[:, last], base, hints)
        base, hints = model.predict_between(before, after, fields[:, chunk], shares)
        pass_.several(luma[:, middle], chroma[:, middle], base, hints)
        before = after
    return pass_.coded(before)


class _Pass:
    """Codes pictures one after the other and keeps what came of it."""

    def __init__(self, model: Crossmodal, of: dict[str, Tensor], guide: tuple[Tensor, Tensor], hard: bool) -> None:
        self.model, self.of, self.guide, self.hard = model, of, guide, hard
        self.units: list[tuple[Tensor, Tensor, Tensor]] = []  # error, bits, quality
        self.parts: dict[str, Tensor] = {}

    def single(self, kind: str, luma: Tensor, chroma: Tensor, base: Tensor, hints: Tensor) -> Picture:
        """A key frame or an anchor."""
        packed, memory = self._code(kind, pack(luma, chroma), base, hints)
        return Picture(*unpack(packed), memory)

    def several(self, luma: Tensor, chroma: Tensor, base: Tensor, hints: Tensor) -> None:
        """The frames between two anchors."""
        self._code("between", pack_several(luma.flatten(0, 1), chroma.flatten(0, 1)), base, hints)

    def _code(self, kind: str, truth: Tensor, base: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        packed, memory, *bits = code(getattr(self.model, kind), truth, base, hints, self.of[kind], *self.guide, self.hard)
        for part, value in zip("yz", bits, strict=True):
            self.parts[f"{kind}.{part}"] = self.parts.get(f"{kind}.{part}", torch.zeros_like(value)) + value
        self.units.append((_error(packed, truth), bits[0] + bits[1], self.of[kind]))
        return packed, memory

    def coded(self, last: Picture) -> Coded:
        """Everything so far."""
        error, bits, quality = (torch.stack(each, dim=1) for each in zip(*self.units, strict=True))
        return Coded(error, bits, quality, self.parts, last)


def _qualities(model: Crossmodal, q: Tensor, frames: int) -> dict[str, Tensor]:
    """Quality of each kind of picture, [N] each; a clip stands for the start of a long GOP."""
    each = [qualities(model.config, quality, 1 if frames == 1 else LONG) for quality in q.tolist()]
    return {kind: torch.tensor([of[kind] for of in each], device=q.device) for kind in KINDS}

