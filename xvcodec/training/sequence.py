"""One differentiable pass of a clip through a crossmodal model: the codec as it will be, with estimated rates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xvcodec.codec.crossmodal import LONG, qualities
from xvcodec.models.coder import ConditionalCoder
from xvcodec.models.crossmodal import BETWEEN, CHUNK, Crossmodal, Picture, pack, pack_several, unpack, unpack_several
from xvcodec.models.steps import KINDS
from xvcodec.training.rate import laplace_bits, noisy, quantised, rounded, scale_of


@dataclass
class Coded:
    """Result of a pass over N clips."""

    error: Tensor  # [N, 1 + 2n] squared error per luma pixel: key, then per chunk the frames between (mean), anchor
    bits: Tensor  # [N, 1 + 2n] estimated bits, in the same order
    quality: Tensor  # [N, 1 + 2n] quality (crf) that each was coded at, in the same order
    parts: dict[str, Tensor]  # [N] bits by stream, for the log
    luma: list[Tensor]  # reconstructions in coding order
    chroma: list[Tensor]


def code(coder: ConditionalCoder, pictures: Tensor, base: Tensor, hints: Tensor, q: Tensor, text: Tensor, mask: Tensor,
         hard: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Encode and decode packed pictures with estimated rates.

    Returns:
        decoded packed pictures, memory, latent bits [N], hyper-latent bits [N].
    """
    step = coder.step(q)
    y = coder.encoder(pictures, base, hints, q, text, mask) / step
    z = coder.prior.hyper(y)
    z_hat = rounded(z)
    with torch.autocast(y.device.type, enabled=False):
        index = coder.prior.scales(z_hat.float(), q)
        z_index = coder.prior.scales.hyper_indices(q)
    mean = coder.prior.means(z_hat, base, hints, q)
    residual = y - mean
    symbols = quantised(residual, index)
    y_bits = laplace_bits(symbols if hard else noisy(residual), scale_of(index)).flatten(1).sum(1)
    z_bits = laplace_bits(z_hat if hard else noisy(z), scale_of(z_index)).flatten(1).sum(1)
    decoded, memory = coder.decoder((symbols + mean) * step, base, hints, q, text, mask)
    return decoded, memory, y_bits, z_bits


def _error(decoded: Tensor, truth: Tensor) -> Tensor:
    """[N, 96 f, h, w] twice -> [N] squared error per luma pixel, mean over the pictures."""
    return (decoded - truth).square().flatten(1).mean(1) * 1.5


def run(model: Crossmodal, luma: Tensor, chroma: Tensor, fields: Tensor, q: Tensor, text: Tensor, mask: Tensor,
        hard: bool = False) -> Coded:
    """Code clips of T = 1 + 4n frames, closed loop.

    Args:
        luma: [N, T, 1, H, W]; chroma: [N, T, 2, H/2, W/2]; both in [-0.5, 0.5].
        fields: [N, n, 4, 3, H/8, W/8] quarter pixels and sides.
        q: [N] nominal qualities of the GOPs (photographs: T = 1); text: [N, K, D] and mask [N, K]: captions.
        hard: round for the rate as well, as coding does, instead of adding noise.
    """
    count, _, _, height, width = luma.shape
    truth = pack(luma[:, 0], chroma[:, 0])
    base, hints = model.predict_key(count, height, width, luma.device)
    of = _qualities(model, q, luma.shape[1])
    packed, memory, y_bits, z_bits = code(model.key, truth, base, hints, of["key"], text, mask, hard)
    errors, bits, parts = [_error(packed, truth)], [y_bits + z_bits], {"key.y": y_bits, "key.z": z_bits}
    before = Picture(*unpack(packed), memory)
    lumas, chromas = [before.luma], [before.chroma]
    shares = (torch.arange(1, CHUNK, device=luma.device) / CHUNK).expand(count, BETWEEN)
    for chunk in range(fields.shape[1]):
        first = 1 + chunk * CHUNK
        truth = pack(luma[:, first + BETWEEN], chroma[:, first + BETWEEN])
        base, hints = model.predict_anchor(before, fields[:, chunk, 0, :2])
        packed, memory, y_bits, z_bits = code(model.anchor, truth, base, hints, of["anchor"], text, mask, hard)
        after = Picture(*unpack(packed), memory)
        anchor_error, anchor_bits = _error(packed, truth), y_bits + z_bits
        _add(parts, "anchor", y_bits, z_bits)
        middle = slice(first, first + BETWEEN)
        truth = pack_several(luma[:, middle].flatten(0, 1), chroma[:, middle].flatten(0, 1))
        base, hints = model.predict_between(before, after, fields[:, chunk], shares)
        packed, _, y_bits, z_bits = code(model.between, truth, base, hints, of["between"], text, mask, hard)
        _add(parts, "between", y_bits, z_bits)
        errors += [_error(packed, truth), anchor_error]
        bits += [y_bits + z_bits, anchor_bits]
        between = unpack_several(packed)
        lumas += [between[0], after.luma]
        chromas += [between[1], after.chroma]
        before = after
    quality = torch.stack([of["key"]] + [of["between"], of["anchor"]] * fields.shape[1], dim=1)
    return Coded(torch.stack(errors, dim=1), torch.stack(bits, dim=1), quality, parts, lumas, chromas)


def _qualities(model: Crossmodal, q: Tensor, frames: int) -> dict[str, Tensor]:
    """Quality of each kind of picture, [N] each; a clip stands for the start of a long GOP."""
    each = [qualities(model.config, quality, 1 if frames == 1 else LONG) for quality in q.tolist()]
    return {kind: torch.tensor([of[kind] for of in each], device=q.device) for kind in KINDS}


def _add(parts: dict[str, Tensor], kind: str, y_bits: Tensor, z_bits: Tensor) -> None:
    parts[f"{kind}.y"] = parts.get(f"{kind}.y", torch.zeros_like(y_bits)) + y_bits
    parts[f"{kind}.z"] = parts.get(f"{kind}.z", torch.zeros_like(z_bits)) + z_bits
