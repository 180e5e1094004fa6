"""From decoded pictures to what is shown, where a model has painters: the mean prediction, and a few steps of the flow."""

from __future__ import annotations

import torch
from torch import Tensor

from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.noise import noise
from xvcodec.models.painter import PLANES, halves, unit_of, wholes
from xvcodec.runtime.base import Runtime

STEPS = 1
"""Of the flow, unless a decoder is asked for others."""
INSTEAD = 2.0 / 3.0
"""What is drawn stands in for as much of the mean's change. At three quarters of what is drawn and half of the other, on
clips kept from training, SqueezeNet's distance falls by 8 %, MS-SSIM rises, and the squared error stays."""


def paint(runtime: Runtime, decoded: Planes, quality: float, guide: Guide, drawn: float) -> Planes:
    """Paint pictures one by one, so that memory does not grow with their number.

    Every picture begins from the same noise: texture that changed from picture to picture would flicker.

    Args:
        decoded: N pictures. quality: what painters are told, crf, see `xvcodec.models.painter.unit_of`.
        guide: caption, seed, and steps of the flow (Euler); with 0 of them the mean alone.
        drawn: how much is added of what the flow draws, 0 to 1.
    """
    steps = (STEPS if guide.steps is None else guide.steps) if drawn else 0
    height, width = decoded.luma.shape[-2:]
    start = noise(guide.seed, (1, PLANES, height // 2, width // 2)).to(decoded.luma.device) if steps else None
    q = torch.full((1,), quality, device=decoded.luma.device)
    painted = []
    for picture in zip(decoded.luma.split(1), decoded.chroma.split(1), strict=True):
        inputs = (*picture, q, guide.text, guide.mask)
        mean = runtime.run("paint.mean", inputs)
        painted.append(mean if start is None else draw(runtime, inputs, mean, start, steps, drawn))
    return Planes(*(torch.cat(planes) for planes in zip(*painted, strict=True)))


def runs(frames: int) -> dict[str, tuple[float, float]]:
    """How often the painters run for a GOP, see `Family.runs`: to decode it, and to encode it only to measure."""
    return {"paint.mean": (0.0, float(frames)), "paint.flow": (0.0, float(frames * STEPS))}


def draw(runtime: Runtime, inputs: tuple[Tensor, ...], mean: tuple[Tensor, ...], state: Tensor, steps: int,
         drawn: float) -> tuple[Tensor, ...]:
    """`steps` steps of the flow from noise `state` [1, 6, H/2, W/2], for a picture (luma, chroma, q, text, mask)."""
    for step in range(steps):
        time = torch.full((1,), step / steps, device=state.device)
        detail = runtime.run("paint.flow", (*inputs, state, time))[0]
        state = torch.lerp(state, detail, 1.0 / (steps - step))  # the velocity (detail - state) / (1 - t), for 1 / steps
    expected = torch.lerp(halves(*inputs[:2]), halves(*mean), 1.0 - INSTEAD * drawn)
    return wholes(expected + state * unit_of(inputs[2]) * drawn)
