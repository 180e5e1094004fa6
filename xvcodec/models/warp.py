"""Warping planes by block motion fields: the one place where pixels follow vectors.

A motion field is [N, 2, h, w] in quarter pixels of luma (channel 0 horizontal, channel 1 vertical), one vector for
each 16x16 block. The vector at a block's centre says where in the reference the content is found; between centres
it is interpolated bilinearly, so that the prediction has no block edges.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 16
QUARTER = 4


def displacement(field: Tensor, height: int, width: int, block: int = BLOCK) -> Tensor:
    """Interpolate block vectors to pixels.

    Args:
        field: [N, 2, h, w], quarter pixels at the resolution where `block` is the block size.
        height, width: size of the plane; block * h >= height, block * w >= width.
    Returns:
        [N, 2, height, width] in pixels of that resolution.
    """
    dense = F.interpolate(field.float() / QUARTER, scale_factor=float(block), mode="bilinear", align_corners=False)
    return dense[:, :, :height, :width]


def warp(plane: Tensor, shift: Tensor, mode: str = "bicubic") -> Tensor:
    """Sample `plane` at x + shift(x), edges replicated.

    Args:
        plane: [N, C, H, W], any range.
        shift: [N, 2, H, W] in pixels of this plane.
        mode: "bicubic" or "bilinear".
    Returns:
        [N, C, H, W] float.
    """
    height, width = plane.shape[-2:]
    rows = torch.arange(height, device=plane.device, dtype=shift.dtype).view(1, height, 1)
    columns = torch.arange(width, device=plane.device, dtype=shift.dtype).view(1, 1, width)
    x = (columns + shift[:, 0]) * (2.0 / width) + (1.0 / width - 1.0)
    y = (rows + shift[:, 1]) * (2.0 / height) + (1.0 / height - 1.0)
    grid = torch.stack((x, y), dim=-1)
    return F.grid_sample(plane, grid, mode=mode, padding_mode="border", align_corners=False)


def warp_yuv(luma: Tensor, chroma: Tensor, field: Tensor, mode: str = "bicubic") -> tuple[Tensor, Tensor]:
    """Warp a 4:2:0 picture by a block motion field.

    Args:
        luma: [N, 1, H, W]; chroma: [N, 2, H/2, W/2].
        field: [N, 2, H/16, W/16] quarter pixels of luma.
    Returns:
        The warped (luma, chroma), same shapes.
    """
    height, width = luma.shape[-2:]
    shift = displacement(field, height, width)
    coarse = displacement(field * 0.5, height // 2, width // 2, BLOCK // 2)
    return warp(luma, shift, mode), warp(chroma, coarse, mode)
