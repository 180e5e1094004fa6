"""Where errors are seen least, for `--tune perceptual`: what MS-SSIM makes of an error.

MS-SSIM (Wang, Simoncelli and Bovik, 2003) sees a picture at five resolutions and divides errors by the variance around them,
so that detail hides errors and flat areas show them, and errors of the finest detail count least, because only the
first of the five resolutions has it. So areas with detail are coded coarser, and within an area symbols of blocks with
detail, and of high frequencies, have to bring more to be kept. Only the encoder knows of it.

Bits of six clips at two qualities, at equal MS-SSIM and at equal PSNR, against none of it: areas alone -11 and +11 %, blocks
and frequencies, too, -16 and +14 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.coder import AREA, OCTAVE
from xvcodec.models.transform import frequencies
from xvcodec.models.warp import BLOCK

Floats = NDArray[np.float32]

SHARES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""What the five resolutions of MS-SSIM count, each half of the one before."""
SMALL = 0.03**2
"""Variance below which MS-SSIM takes a window for flat, picture units squared."""
REACH = 3
"""Windows are means over 2 REACH + 1 samples a side, about as wide as MS-SSIM's."""
AREAS, BLOCKS, FREQUENCIES = 0.7, 0.65, 0.4
"""Exponents of what MS-SSIM says: 1 would be best if every picture were coded alone and finely."""
SEARCHED = 0.5
"""The same of what vectors are searched by."""
LARGEST = 16.0
"""Largest offset of an area, crf."""


@dataclass(frozen=True)
class Masking:
    """What errors are worth in the pictures of a GOP of n chunks, m of which have frames between."""

    areas: Floats  # [1 + n, H/32, W/32] offsets of key frame and anchors, crf, about zero on average in each picture
    weights: dict[str, Floats]  # of squared errors, by kind: "key" [1, H/8, W/8], "anchor" [n, ..], "between" [m, ..]
    frames: Tensor  # of squared errors for the motion search, about one on average, [T, 1, H/8, W/8]

    def steps(self, frame: int) -> Tensor:
        """Quantiser steps that would make errors of a frame worth the same everywhere, relative, [1, 1, H/8, W/8]."""
        return self.frames[frame : frame + 1] ** -0.5


def masking(luma: Tensor, used: list[int]) -> Masking:
    """Look at a GOP that is cut into chunks of `used` frames between, original luma [T, 1, H, W] in [-0.5, 0.5]."""
    seen = _seen(luma)
    areas = F.avg_pool2d(seen, AREA // BLOCK)
    octaves = torch.log2(areas[:, 0]) / 2  # of steps, whose squares errors are
    offsets = (octaves.mean((1, 2), keepdim=True) - octaves) * (AREAS * OCTAVE)
    within = (seen / F.interpolate(areas, scale_factor=float(AREA // BLOCK)))[:, 0] ** BLOCKS
    among = (seen / seen.log().mean((1, 2, 3), keepdim=True).exp())[:, 0] ** BLOCKS  # frames between have one quality
    coded = [0, *accumulate(count + 1 for count in used)]
    between = [at + 1 for at, count in zip(coded, used, strict=False) if count]
    weights = {"key": within[:1], "anchor": within[coded[1:]], "between": among[between]}
    each = (seen / seen.log().mean((1, 2, 3), keepdim=True).exp()) ** SEARCHED
    return Masking(offsets[coded].clamp(-LARGEST, LARGEST).cpu().numpy(),
                   {kind: blocks.cpu().numpy() for kind, blocks in weights.items()}, each)


def _seen(luma: Tensor) -> Tensor:
    """What MS-SSIM makes of a squared error in each block, [T, 1, H/8, W/8]."""
    blocks = (luma.shape[2] // BLOCK, luma.shape[3] // BLOCK)
    total = luma.new_zeros(luma.shape[0], 1, *blocks)
    for number, share in enumerate(SHARES):
        if number:
            luma = F.avg_pool2d(luma, 2)
        variance = (_window(luma.square()) - _window(luma).square()).clamp_min(0.0)
        total += F.interpolate(share / (2.0 * variance + SMALL), blocks, mode="area")
    return total


def _window(plane: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(plane, (REACH,) * 4, mode="replicate"), 2 * REACH + 1, 1)


@lru_cache(maxsize=8)
def frequency_weights(patch: int, pictures: int, power: float = FREQUENCIES) -> Floats:
    """What squared errors of coefficients count, [L], at most 1: every halving of the resolution loses high frequencies."""
    _, down, right = frequencies(patch).numpy().T * (math.pi / patch)
    passed, total = np.ones_like(down), np.zeros_like(down)
    for number, share in enumerate(SHARES):
        total += share * passed
        passed *= (np.cos(down * 2.0**number / 2) * np.cos(right * 2.0**number / 2)) ** 2
    return np.repeat((total / total.max()) ** power, pictures).astype(np.float32)
