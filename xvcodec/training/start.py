"""A model that codes from its first step: the first scale indices are those of real residuals."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from xvcodec.models.coder import ConditionalCoder, nominal_step
from xvcodec.models.context import PASSES, neighbours, pass_of
from xvcodec.models.crossmodal import BETWEEN, CHUNK, Crossmodal, Picture, pack, pack_several
from xvcodec.models.integer import TABLES
from xvcodec.models.layers import KNOTS
from xvcodec.training.data import Clips
from xvcodec.training.rate import LARGEST, SMALLEST


def indices(size: Tensor, coarseness: float) -> Tensor:
    """Scale indices of channels whose rms in picture units is `size` [C], at every knot: [KNOTS, C]."""
    step = nominal_step(torch.arange(KNOTS, dtype=torch.float32) * 8.0).unsqueeze(1) * coarseness
    scale = size.clamp_min(3e-5) * 0.6 / step
    index = torch.log(scale / SMALLEST) / math.log(LARGEST / SMALLEST) * (TABLES - 1)
    return index.clamp(0.0, TABLES - 1.0)


@torch.no_grad()
def set_scales(model: Crossmodal, clips: Clips, batches: int = 60) -> None:
    """Measure key frames, anchor residuals and between residuals on original frames and set the first scale indices."""
    sums: dict[str, Tensor] = {}
    for _ in range(batches):
        batch = clips.clips(4, 1, 192)
        luma, chroma, fields = batch.luma, batch.chroma, batch.fields[:, 0]
        memory = torch.zeros(4, model.config.memory, 24, 24)
        before, after = (Picture(luma[:, t], chroma[:, t], memory) for t in (0, CHUNK))
        shares = (torch.arange(1, CHUNK) / CHUNK).expand(4, BETWEEN)
        middle = pack_several(luma[:, 1:CHUNK].flatten(0, 1), chroma[:, 1:CHUNK].flatten(0, 1))
        residuals = {"key": pack(luma[:, 0], chroma[:, 0]),
                     "anchor": pack(after.luma, after.chroma) - model.predict_anchor(before, fields[:, 0, :2])[0],
                     "between": middle - model.predict_between(before, after, fields, shares)[0]}
        for name, packed in residuals.items():
            power = getattr(model, name).transform(packed).square().mean((0, 2, 3)) / batches
            sums[name] = sums.get(name, torch.zeros_like(power)) + power
    for name, power in sums.items():
        coder: ConditionalCoder = getattr(model, name)
        coder.prior.scales.last_bias.knots.values.copy_(indices(power.sqrt(), coder.config.coarseness))


@torch.no_grad()
def set_context(coder: ConditionalCoder, clips: Clips, batches: int = 60) -> None:
    """Fit the context of a coder by least squares to original pictures, quantised at random qualities."""
    if coder.context is None:
        return
    channels = coder.context.channels
    products = torch.zeros(PASSES - 1, 4 * channels, 4 * channels, dtype=torch.float64)
    targets = torch.zeros(PASSES - 1, 4 * channels, channels, dtype=torch.float64)
    for batch in range(batches):
        pictures = clips.photographs(4, 256) if batch % 2 else clips.clips(4, 1, 256)
        step = coder.step(torch.rand(4) * 50.0)[:, :channels]
        truth = coder.transform(pack(pictures.luma[:, 0], pictures.chroma[:, 0]))[:, :channels]
        decoded, order = (truth / step).round() * step, pass_of(truth.shape[-2], truth.shape[-1], truth.device)
        for number in range(1, PASSES):
            known = (order < number).float()
            near = torch.cat(neighbours(decoded * known, known, number), dim=1).movedim(1, -1)[:, order == number]
            near = near.flatten(0, -2).double()
            products[number - 1] += near.T @ near
            targets[number - 1] += near.T @ truth.movedim(1, -1)[:, order == number].flatten(0, -2).double()
    ridge = products.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * 1e-3 * torch.eye(4 * channels)
    coder.context.weight.copy_(torch.linalg.solve(products + ridge, targets).transpose(1, 2))
