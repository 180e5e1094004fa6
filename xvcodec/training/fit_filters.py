"""Training of the loop filters of predicted pictures: plain regression from decoded pictures towards their sources.

Gradients through coded sequences are too short-sighted for this: a filter that saw three chunks in training did harm over
eight. So clips are coded by the real codec over whole GOPs, its pictures recorded, the filters fitted to them, and, with the
filters in the loop, all of it again (dataset aggregation: Ross, Gordon, Bagnell, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.crossmodal import pack
from xvcodec.models.loop_filter import LoopFilter
from xvcodec.training.filter_samples import LEVELS, Samples

CROP, BATCH = 96, 16
MARGIN = 8
"""Pixels at the borders of a crop whose errors do not count: what lies beyond is not seen."""
WARM = 50
"""Steps in which the learning rate rises."""
AVERAGE = 0.995
TOLD = 200
"""Steps from one line of the log to the next."""
Say = Callable[[str], None]


def fit(loop_filter: LoopFilter, samples: Samples, steps: int, rate: float, seed: int, say: Say) -> None:
    """Train for so many steps; the filter's weights become the average over the last ones.

    The loss is the error after over that before, so that a tenth of a decibel counts the same at every quality.
    """
    regress(loop_filter, lambda random: _loss(loop_filter, *_batch(samples, random)), steps, rate, seed, say)


def regress(network: nn.Module, loss_of: Callable[[torch.Generator], Tensor], steps: int, rate: float, seed: int,
            say: Say) -> None:
    """Lower the mean of `loss_of` over batches, which it draws; it is a ratio of errors, and is told in decibels."""
    random = torch.Generator().manual_seed(seed)
    network.train().requires_grad_(True)
    optimiser = torch.optim.AdamW(network.parameters(), rate, betas=(0.9, 0.98), weight_decay=1e-3)
    average = {name: value.detach().clone() for name, value in network.named_parameters()}
    seen = 0.0
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / WARM, 0.02 + 0.49 * (1.0 + math.cos(math.pi * step / steps)))
        loss = loss_of(random)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        seen += float(loss.detach())
        share = min(AVERAGE, (step + 1) / (step + 11))
        for name, value in network.named_parameters():
            average[name].lerp_(value.detach(), 1.0 - share)
        if (step + 1) % TOLD == 0:
            say(f"step {step + 1}: {-10 * math.log10(seen / TOLD):+.3f} dB")
            seen = 0.0
    network.load_state_dict(average)
    network.eval().requires_grad_(False)


def _batch(samples: Samples, random: torch.Generator) -> tuple[Tensor, ...]:
    """Crops at random places, mirrored at random: rough, base, source [B, 96, h, w]; step [B, 1, h, w]; error [B]."""
    which = torch.randint(len(samples), (BATCH,), generator=random)
    side = samples.rough[0].shape[-1] - CROP
    places = torch.randint(side // 8 + 1, (BATCH, 2), generator=random) * 8
    flips = torch.rand(BATCH, 2, generator=random) < 0.5
    packed = []
    for planes in (samples.rough, samples.base, samples.source):
        crops = [[_mirrored(plane[at, :, top // n : (top + CROP) // n, left // n : (left + CROP) // n], flip)
                  for at, (top, left), flip in zip(which.tolist(), places.tolist(), flips.tolist(), strict=True)]
                 for n, plane in zip((1, 2), planes, strict=True)]
        luma, chroma = (torch.stack(crop).float() for crop in crops)
        if planes is samples.source:
            luma, chroma = luma / LEVELS - 0.5, chroma / LEVELS - 0.5
        packed.append(pack(luma, chroma))
    step = torch.stack([_mirrored(samples.step[at, :, top // 8 : (top + CROP) // 8, left // 8 : (left + CROP) // 8], flip)
                        for at, (top, left), flip in zip(which.tolist(), places.tolist(), flips.tolist(), strict=True)])
    return (*packed, step, samples.error[which])


def _mirrored(plane: Tensor, flip: list[bool]) -> Tensor:
    return plane.flip([-axis for axis, wanted in enumerate(flip, 1) if wanted])


def _loss(loop_filter: LoopFilter, rough: Tensor, base: Tensor, source: Tensor, step: Tensor, error: Tensor) -> Tensor:
    """Error inside the margin over the error of the whole picture before."""
    inner = (slice(None), slice(None), slice(MARGIN // 8, -(MARGIN // 8)), slice(MARGIN // 8, -(MARGIN // 8)))
    with torch.autocast("cpu", torch.bfloat16):
        mended = loop_filter(rough, base, step)
    return (F.mse_loss(mended[inner], source[inner], reduction="none").mean((1, 2, 3)) / error.clamp(min=1e-6)).mean()


@torch.inference_mode()
def gains(loop_filter: LoopFilter, samples: Samples) -> Iterator[tuple[int, float]]:
    """Chunk of each picture, and what the filter brings it, in decibels."""
    for at in range(len(samples)):
        rough, base = (pack(luma[at : at + 1].float(), chroma[at : at + 1].float())
                       for luma, chroma in (samples.rough, samples.base))
        luma, chroma = (plane[at : at + 1].float() / LEVELS - 0.5 for plane in samples.source)
        source = pack(luma, chroma)
        with torch.autocast("cpu", torch.bfloat16):
            mended = loop_filter(rough, base, samples.step[at : at + 1])
        after = float((mended - source).square().mean())
        yield int(samples.chunk[at]), 10 * math.log10(float(samples.error[at]) / max(after, 1e-9))
