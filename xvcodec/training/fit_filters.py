"""Training of the filters of decoded pictures: plain regression from what the codec decodes towards its source.

Gradients through coded sequences are too short-sighted for this: a filter that saw three chunks in training did harm over
eight. So clips are coded by the real codec over whole GOPs, its pictures recorded, the filters fitted to them, and, with the
filters in the loop, all of it again (dataset aggregation: Ross, Gordon, Bagnell, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from xvcodec.models.crossmodal import pack
from xvcodec.models.fine_filters import KeyFilter
from xvcodec.training.filter_samples import LEVELS, Planes420, Samples

CROP, BATCH = 128, 8
MARGIN = 1
"""Packed positions at the borders of a crop whose errors do not count: what lies beyond is not seen."""
LEAST = 0.002
"""Squared steps: an error before filtering counts as no less, or all weight went to crops that are nearly without one."""
KEY_PATCH, PATCH = 16, 8
WARM = 50
"""Steps in which the learning rate rises."""
AVERAGE = 0.997
TOLD = 200
"""Steps from one line of the log to the next."""
Say = Callable[[str], None]


def fit(network: nn.Module, samples: Samples, steps: int, rate: float, seed: int, say: Say) -> None:
    """Train for so many steps; the weights become the average over the last ones.

    The loss is the error after over that before, both in quantiser steps, so that a tenth of a decibel counts the same at
    every quality, and so do areas.
    """
    patch = KEY_PATCH if isinstance(network, KeyFilter) else PATCH

    def loss(random: torch.Generator) -> Tensor:
        seen, source, step = _batch(samples, patch, random)
        with torch.autocast("cpu", torch.bfloat16):
            mended = network(*seen, step)
        return (_error(mended, source, step) / _error(seen[0], source, step).clamp(min=LEAST)).mean()

    regress(network, loss, steps, rate, seed, say)


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


def _batch(samples: Samples, patch: int, random: torch.Generator) -> tuple[list[Tensor], Tensor, Tensor]:
    """Crops of whole patches, mirrored and transposed at random: seen, each [B, 96, h, w]; source; step [B, 1, h, w]."""
    side = samples.source[0].shape[-1]
    crop = min(CROP, side)
    which = torch.randint(len(samples), (BATCH,), generator=random).tolist()
    places = (torch.randint((side - crop) // patch + 1, (BATCH, 2), generator=random) * patch).tolist()
    turns = (torch.rand(BATCH, 3, generator=random) < 0.5).tolist()

    def crops(plane: Tensor, n: int) -> Tensor:
        """A plane that has a value for each n x n pixels, float32."""
        return torch.stack([_turned(plane[at, :, top // n : (top + crop) // n, left // n : (left + crop) // n], turn)
                            for at, (top, left), turn in zip(which, places, turns, strict=True)]).float()

    def packed(planes: Planes420) -> Tensor:
        return pack(crops(planes[0], 1), crops(planes[1], 2))

    luma, chroma = (crops(plane, n) / LEVELS - 0.5 for n, plane in zip((1, 2), samples.source, strict=True))
    return [packed(planes) for planes in samples.seen], pack(luma, chroma), crops(samples.step, 8)


def _turned(plane: Tensor, turn: list[bool]) -> Tensor:
    mirrored = plane.flip([-axis for axis, wanted in enumerate(turn[:2], 1) if wanted])
    return mirrored.transpose(-1, -2) if turn[2] else mirrored


def _error(pictures: Tensor, source: Tensor, step: Tensor) -> Tensor:
    """Mean of squares of each sample inside the margin, in quantiser steps, [B]."""
    inner = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    return ((pictures - source) / step)[inner].square().mean((1, 2, 3))


@torch.inference_mode()
def gains(network: nn.Module, samples: Samples) -> Iterator[tuple[float, float]]:
    """Group of each picture, and what the filter brings it, in decibels of errors in quantiser steps."""
    for at in range(len(samples)):
        each = slice(at, at + 1)
        seen = [pack(planes[0][each].float(), planes[1][each].float()) for planes in samples.seen]
        luma, chroma = (plane[each] / LEVELS - 0.5 for plane in samples.source)
        source = pack(luma, chroma)
        with torch.autocast("cpu", torch.bfloat16):
            mended = network(*seen, samples.step[each])
        before, after = (float(_error(pictures, source, samples.step[each])) for pictures in (seen[0], mended))
        yield float(samples.group[at]), 10 * math.log10(max(before, 1e-9) / max(after, 1e-9))
