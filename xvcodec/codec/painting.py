"""From decoded pictures to what is shown, where a model has painters: the mean prediction, and a few steps of the flow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.noise import noise
from xvcodec.models.painter import PLANES, SIDE, halves, unit_of, wholes
from xvcodec.runtime.base import Runtime

STEPS = 1
"""Of the flow, unless a decoder is asked for others."""
INSTEAD = 2.0 / 3.0
"""What is drawn stands in for as much of the mean's change. At three quarters of what is drawn and half of the other, on
clips kept from training, SqueezeNet's distance falls by 8 %, MS-SSIM rises, and the squared error stays."""


REACH = 2
"""Tiles to each side that are looked at for what they have in common."""


@dataclass(frozen=True)
class Sketch:
    """One picture as the painters see it, [1, 6, H/2, W/2] as `halves` gives them."""

    decoded: Tensor
    mean: Tensor
    detail: Tensor  # that the flow draws, in picture units


def paint(runtime: Runtime, decoded: Planes, quality: float, guide: Guide, drawn: float, hints: Ints) -> Planes:
    """Paint pictures one by one, so that memory does not grow with their number.

    Every picture begins from the same noise: texture that changed from picture to picture would flicker.

    Args:
        decoded: N pictures. quality: what painters are told, crf, see `xvcodec.models.painter.unit_of`.
        guide: caption, seed, and steps of the flow (Euler); with 0 of them the mean alone.
        drawn: how much is added of what the flow draws, 0 to 1. hints: what it is told, [C, H/16, W/16].
    """
    painted = []
    for luma, chroma in zip(decoded.luma.split(1), decoded.chroma.split(1), strict=True):
        picture = Planes(luma, chroma)
        if drawn and guide.steps != 0:
            painted.append(blend(sketch(runtime, picture, quality, guide, hints), drawn))
        else:
            painted.append(Planes(*runtime.run("paint.mean", _seen(picture, quality, guide))))
    return Planes(torch.cat([each.luma for each in painted]), torch.cat([each.chroma for each in painted]))


def sketch(runtime: Runtime, picture: Planes, quality: float, guide: Guide, hints: Ints) -> Sketch:
    """What both painters make of one decoded picture; arguments as of `paint`."""
    inputs = _seen(picture, quality, guide)
    device = picture.luma.device
    height, width = picture.luma.shape[-2:]
    state = noise(guide.seed, (1, PLANES, height // 2, width // 2)).to(device)
    told = torch.from_numpy(hints).to(device, torch.float32)[None]
    steps = guide.steps or STEPS
    for step in range(steps):
        time = torch.full((1,), step / steps, device=device)
        detail = runtime.run("paint.flow", (*inputs, state, time, told))[0]
        state = torch.lerp(state, detail, 1.0 / (steps - step))  # the velocity (detail - state) / (1 - t), for 1 / steps
    detail = without_pattern(state) * unit_of(inputs[2])
    return Sketch(halves(*inputs[:2]), halves(*runtime.run("paint.mean", inputs)), detail)


def without_pattern(detail: Tensor) -> Tensor:
    """Detail [N, 6, H/2, W/2] less what is the same in neighbouring tiles, those that painters know their place in.

    A flow that is told that much is lost draws a pattern that repeats every 16 pixels, which fools networks that judge
    features, and which people see as a screen (docs/experiments.md).
    """
    tiles = F.pixel_unshuffle(detail, SIDE)
    same = F.avg_pool2d(F.pad(tiles, (REACH,) * 4, mode="replicate"), 2 * REACH + 1, 1)
    return detail - F.pixel_shuffle(same, SIDE)


def blend(sketched: Sketch, drawn: float) -> Planes:
    """The picture with a share of what is drawn."""
    expected = torch.lerp(sketched.decoded, sketched.mean, 1.0 - INSTEAD * drawn)
    return Planes(*wholes(expected + sketched.detail * drawn))


def _seen(picture: Planes, quality: float, guide: Guide) -> tuple[Tensor, ...]:
    """The inputs that both painters begin with."""
    q = torch.full((1,), quality, device=picture.luma.device)
    return picture.luma, picture.chroma, q, guide.text, guide.mask


def runs(frames: int, looked_at: int) -> dict[str, tuple[float, float]]:
    """How often the painters run for a GOP, see `Family.runs`: to encode it, where some pictures are looked at, and to
    decode it."""
    looks = float(min(frames, looked_at))
    return {"paint.mean": (looks, float(frames)), "paint.flow": (looks, float(frames * STEPS)), "paint.tell": (looks, 0.0)}
