"""Where errors are seen least: offsets to the quality of areas for `--tune perceptual`.

Detail hides errors, and flat areas show them; measures of structure (SSIM and its kin) divide errors by the variance around
them. So areas are coded the coarser the more detail they have (x264's adaptive quantisation, stronger).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.coder import AREA
from xvcodec.models.warp import BLOCK

STRENGTH = 3.0
"""crf for each doubling of the variance of luma: 13 would double the quantiser step."""
FLOOR = (3.0 / 255) ** 2
"""Variance below which blocks count as flat."""


def masking(luma: Tensor) -> Tensor:
    """Offsets in crf of the areas of pictures [T, 1, H, W], about zero on average in each: [T, H/AREA, W/AREA]."""
    mean = F.avg_pool2d(luma, BLOCK)
    variance = (F.avg_pool2d(luma.square(), BLOCK) - mean.square()).clamp_min(0.0)
    detail = F.avg_pool2d(torch.log2(variance + FLOOR), AREA // BLOCK)[:, 0]
    return STRENGTH * (detail - detail.mean((1, 2), keepdim=True))
