"""Training of the loop filter of key frames: plain regression from what the codec decodes towards its source."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from xvcodec.models.coder import nominal_step
from xvcodec.models.crossmodal import pack
from xvcodec.models.key_filter import KeyFilter
from xvcodec.training.fit_filters import Say, regress
from xvcodec.training.key_samples import LEVELS, KeySamples

CROP, BATCH, PATCH = 96, 8, 16
MARGIN = 1
"""Packed positions at the borders of a crop whose errors do not count: what lies beyond is not seen."""
LEAST = 0.002
"""Squared steps: an error before filtering counts as no less, or all weight went to crops that are nearly without one."""


def fit_key_filter(network: KeyFilter, samples: KeySamples, steps: int, rate: float, seed: int, say: Say) -> None:
    """Train for so many steps; the weights become the average over the last ones.

    The loss is the error after over that before, both in quantiser steps, so that a tenth of a decibel counts the same at
    every quality, and so do areas.
    """
    def loss(random: torch.Generator) -> Tensor:
        rough, source, step = _batch(samples, random)
        with torch.autocast("cpu", torch.bfloat16):
            mended = network(rough, step)
        return (_error(mended, source, step) / _error(rough, source, step).clamp(min=LEAST)).mean()

    regress(network, loss, steps, rate, seed, say)


def _batch(samples: KeySamples, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Crops of whole patches, mirrored and transposed at random: rough, source [B, 96, h, w]; step [B, 1, h, w]."""
    side = samples.rough[0].shape[-1] - CROP
    which = torch.randint(len(samples), (BATCH,), generator=random).tolist()
    places = (torch.randint(side // PATCH + 1, (BATCH, 2), generator=random) * PATCH).tolist()
    turns = (torch.rand(BATCH, 3, generator=random) < 0.5).tolist()

    def crops(plane: Tensor, n: int) -> Tensor:
        """A plane that has a value for each n x n pixels, float32."""
        return torch.stack([_turned(plane[at, :, top // n : (top + CROP) // n, left // n : (left + CROP) // n], turn)
                            for at, (top, left), turn in zip(which, places, turns, strict=True)]).float()

    rough = pack(crops(samples.rough[0], 1), crops(samples.rough[1], 2))
    source = pack(crops(samples.source[0], 1) / LEVELS - 0.5, crops(samples.source[1], 2) / LEVELS - 0.5)
    return rough, source, nominal_step(crops(samples.quality, 8))


def _turned(plane: Tensor, turn: list[bool]) -> Tensor:
    mirrored = plane.flip([-axis for axis, wanted in enumerate(turn[:2], 1) if wanted])
    return mirrored.transpose(-1, -2) if turn[2] else mirrored


def _error(pictures: Tensor, source: Tensor, step: Tensor) -> Tensor:
    """Mean of squares of each sample inside the margin, in quantiser steps, [B]."""
    inner = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    return ((pictures - source) / step)[inner].square().mean((1, 2, 3))


@torch.inference_mode()
def key_gains(network: KeyFilter, samples: KeySamples) -> Iterator[tuple[float, float]]:
    """Mean quality (crf) of each picture, and what the filter brings it, in decibels of errors in quantiser steps."""
    for at in range(len(samples)):
        each = slice(at, at + 1)
        rough = pack(samples.rough[0][each].float(), samples.rough[1][each].float())
        source = pack(samples.source[0][each] / LEVELS - 0.5, samples.source[1][each] / LEVELS - 0.5)
        step = nominal_step(samples.quality[each])
        with torch.autocast("cpu", torch.bfloat16):
            mended = network(rough, step)
        before, after = (float(_error(pictures, source, step)) for pictures in (rough, mended))
        yield float(samples.quality[at].mean()), 10 * math.log10(max(before, 1e-9) / max(after, 1e-9))
