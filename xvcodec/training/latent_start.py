"""The linear path of a latent model, fitted in closed form before the first step of training.

Principal components of blocks (8 x 8 pixels of one or four packed pictures) go into the latent, scaled to unit variance;
back goes the least-squares guess of a block from the 3 x 3 latents around it, 0.7 dB better than the components alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.crossmodal import pack
from xvcodec.models.integer import TABLES
from xvcodec.models.latent import CHUNK, FRAMES, LatentModel
from xvcodec.models.latent_stages import LATENTS, step_of
from xvcodec.models.layers import KNOTS
from xvcodec.training.data import Clips
from xvcodec.training.rate import LARGEST, SMALLEST


def blocks(clips: Clips, kind: str, batches: int, size: int = 128) -> list[Tensor]:
    """Packed pictures of one kind, [4, 96 f, h, w] a batch; half of the images are photographs."""
    found = []
    for number in range(batches):
        photographs = kind == "image" and number % 2 == 0
        batch = clips.photographs(4, size) if photographs else clips.clips(4, 1, size)
        span = slice(0, 1) if kind == "image" else slice(1, 1 + CHUNK)
        found.append(pack(batch.luma[:, span].flatten(0, 1), batch.chroma[:, span].flatten(0, 1), FRAMES[kind]))
    return found


@torch.no_grad()
def fit(model: LatentModel, clips: Clips, batches: int = 100) -> None:
    """Set linear paths, quantiser steps, what follows from the past, and first scale indices of both kinds."""
    for kind in FRAMES:
        coder = model.coder(kind)
        pictures = blocks(clips, kind, batches)
        size = pictures[0].shape[1]
        power = torch.zeros(size, size, device=pictures[0].device)
        for packed in pictures:
            values = packed.transpose(0, 1).flatten(1)
            power += values @ values.t() / (values.shape[1] * batches)
        variance, vectors = torch.linalg.eigh(power)
        spread = variance[-LATENTS:].flip(0).sqrt()
        coder.linear.down.copy_(vectors[:, -LATENTS:].flip(1).t() / spread[:, None])
        coder.linear.up.copy_(_back(pictures, coder.linear.down))
        steps = step_of(torch.arange(KNOTS, dtype=torch.float32) * 8.0).to(spread.device)[:, None] / spread
        coder.log_step.values.copy_(steps.log())
        share = follow(model, clips) if kind == "clip" else torch.zeros(LATENTS, device=spread.device)
        coder.prior.past.weight.copy_(torch.diag(share))
        left = 0.6 * (1.0 - share.square()).sqrt()  # Laplace scale of what the past does not tell
        index = torch.log(left / steps / SMALLEST) / math.log(LARGEST / SMALLEST) * (TABLES - 1)
        coder.prior.scales.last_bias.knots.values.copy_(index.clamp(0.0, TABLES - 1.0))


@torch.no_grad()
def follow(model: LatentModel, clips: Clips, batches: int = 30) -> Tensor:
    """How much of each channel of a latent frame follows from the one before it, [16]: least squares, at most 0.99."""
    both, alone = torch.zeros(2, LATENTS, device=clips.device)
    for _ in range(batches):
        batch = clips.clips(4, 2, 128)
        before, after = (model.clip.linear(pack(batch.luma[:, at : at + CHUNK].flatten(0, 1),
                                                batch.chroma[:, at : at + CHUNK].flatten(0, 1), CHUNK))
                         for at in (1, 1 + CHUNK))
        both += (before * after).sum((0, 2, 3))
        alone += before.square().sum((0, 2, 3))
    return (both / alone).clamp(0.0, 0.99)


def _back(pictures: list[Tensor], down: Tensor) -> Tensor:
    """Least squares from 3 x 3 latents to the block in their middle, [96 f, 16, 3, 3]."""
    square = torch.zeros(LATENTS * 9, LATENTS * 9, device=down.device)
    cross = torch.zeros(LATENTS * 9, down.shape[1], device=down.device)
    for packed in pictures:
        latent = F.pad(F.conv2d(packed, down[:, :, None, None]), (1, 1, 1, 1), mode="replicate")
        seen = F.unfold(latent, 3).transpose(0, 1).flatten(1)
        square += seen @ seen.t()
        cross += seen @ packed.flatten(2).transpose(0, 1).flatten(1).t()
    ridge = square.diagonal().mean() * 1e-4 * torch.eye(LATENTS * 9, device=down.device)
    solved: Tensor = torch.linalg.solve(square + ridge, cross)
    return solved.t().reshape(-1, LATENTS, 3, 3)
