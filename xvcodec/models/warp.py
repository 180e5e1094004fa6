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


def sampling_grid(field: Tensor, height: int, width: int, block: int = BLOCK) -> Tensor:
    """Where each pixel of a plane is found in the reference, as `grid_sample` wants it.

    Args:
        field: [N, 2, h, w], quarter pixels at the resolution where `block` is the block size.
        height, width: size of the plane; block * h >= height, block * w >= width.
    Returns:
        [N, height, width, 2], -1 to 1 from edge to edge, a view with planes of x and of y.
    """
    # scaled while it is small: each pass over all pixels costs as much as the sampling itself
    scaled = torch.cat((field[:, :1] * (2.0 / QUARTER / width), field[:, 1:] * (2.0 / QUARTER / height)), dim=1).float()
    dense = F.interpolate(scaled, scale_factor=float(block), mode="bilinear", align_corners=False)
    columns = torch.arange(width, device=field.device, dtype=torch.float32) * (2.0 / width) + (1.0 / width - 1.0)
    rows = torch.arange(height, device=field.device, dtype=torch.float32) * (2.0 / height) + (1.0 / height - 1.0)
    still = torch.stack((columns.view(1, width).expand(height, width), rows.view(height, 1).expand(height, width)))
    return (dense[:, :, :height, :width] + still).permute(0, 2, 3, 1)


def warp(plane: Tensor, field: Tensor, mode: str = "bicubic", block: int = BLOCK) -> Tensor:
    """Sample `plane` along a block motion field, edges replicated.

    Args:
        plane: [N, C, H, W], any range.
        field: [N, 2, h, w] in quarter pixels of this plane, one vector for `block` x `block` pixels.
        mode: "bicubic" or "bilinear".
    Returns:
        [N, C, H, W] float.
    """
    grid = sampling_grid(field, plane.shape[-2], plane.shape[-1], block)
    return F.grid_sample(plane, grid, mode=mode, padding_mode="border", align_corners=False)


def warp_yuv(luma: Tensor, chroma: Tensor, field: Tensor, mode: str = "bicubic") -> tuple[Tensor, Tensor]:
    """Warp a 4:2:0 picture by a block motion field.

    Args:
        luma: [N, 1, H, W]; chroma: [N, 2, H/2, W/2].
        field: [N, 2, H/16, W/16] quarter pixels of luma.
    Returns:
        The warped (luma, chroma), same shapes.
    """
    return warp(luma, field, mode), warp(chroma, field * 0.5, mode, BLOCK // 2)
