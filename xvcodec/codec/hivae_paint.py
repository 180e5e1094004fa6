"""From decoded pictures of the hivae family to what is shown: the mean prediction, then a few steps of the flow."""

from __future__ import annotations

import torch
from torch import Tensor

from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.noise import noise
from xvcodec.models.painter import PLANES, SIDE, quarters, unit_of, wholes
from xvcodec.runtime.base import Runtime


def paint(runtime: Runtime, decoded: Planes, qualities: list[float], guide: Guide, steps: int) -> Planes:
    """Paint pictures one by one, so that memory does not grow with their number.

    Every picture begins from the same noise: texture that changed from picture to picture would flicker.

    Args:
        decoded: N pictures. qualities: crf that each was coded at.
        guide: caption and seed.
        steps: of the flow (Euler); 0 gives the mean.
    """
    height, width = decoded.luma.shape[-2:]
    start = noise(guide.seed, (1, PLANES, height // SIDE, width // SIDE)).to(decoded.luma.device) if steps else None
    painted = []
    for luma, chroma, quality in zip(decoded.luma.split(1), decoded.chroma.split(1), qualities, strict=True):
        q = torch.full((1,), quality, device=luma.device)
        mean = runtime.run("paint.mean", (luma, chroma, q, guide.text, guide.mask))
        painted.append(mean if start is None else draw(runtime, mean, q, guide, start, steps))
    return Planes(*(torch.cat(planes) for planes in zip(*painted, strict=True)))


def draw(runtime: Runtime, mean: tuple[Tensor, ...], q: Tensor, guide: Guide, state: Tensor,
         steps: int) -> tuple[Tensor, ...]:
    """`steps` steps of the flow from noise `state` [1, 24, H/4, W/4], on top of a mean picture."""
    for step in range(steps):
        time = torch.full((1,), step / steps, device=state.device)
        detail = runtime.run("paint.flow", (*mean, q, guide.text, guide.mask, state, time))[0]
        state = torch.lerp(state, detail, 1.0 / (steps - step))  # the velocity (detail - state) / (1 - t), for 1 / steps
    return wholes(quarters(*mean) + state * unit_of(q))
