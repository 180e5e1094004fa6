"""Warping planes by block motion fields: the one place where pixels follow vectors.

A motion field is [N, 2, h, w] in quarter pixels of luma (channel 0 horizontal, channel 1 vertical), one vector for
each 8x8 block: it says where in the reference the block's content is found. Vectors are not interpolated between
blocks, because motion has edges (measured: 0.9 dB better prediction than smooth fields at equal vectors).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 8
QUARTER = 4
SHARPNESS = 0.6
"""How models of crossmodal sample pictures between pixels: so much of cubic convolution (Keys, 1981; a = -0.75), the rest
bilinearly. Bilinear sampling alone blurs a little more with every anchor, the cubic alone sharpens decoded noise."""
BLURS = (1, 3)
"""Reach of the two blurs that a block of an anchor's prediction may have, luma pixels: what was hidden, or moves too fast
for its detail to return, is predicted better without detail."""


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
    dense = F.interpolate(scaled, scale_factor=float(block), mode="nearest") if block > 1 else scaled
    columns = torch.arange(width, device=field.device, dtype=torch.float32) * (2.0 / width) + (1.0 / width - 1.0)
    rows = torch.arange(height, device=field.device, dtype=torch.float32) * (2.0 / height) + (1.0 / height - 1.0)
    still = torch.stack((columns.view(1, width).expand(height, width), rows.view(height, 1).expand(height, width)))
    return (dense[:, :, :height, :width] + still).permute(0, 2, 3, 1)


def warp(plane: Tensor, field: Tensor, block: int = BLOCK, sharpness: float = 0.0) -> Tensor:
    """Sample `plane` along a block motion field, edges replicated.

    Args:
        plane: [N, C, H, W], any range.
        field: [N, 2, h, w] in quarter pixels of this plane, one vector for `block` x `block` pixels.
        sharpness: share of cubic convolution, see `SHARPNESS`; the rest is bilinear.
    Returns:
        [N, C, H, W] float.
    """
    grid = sampling_grid(field, plane.shape[-2], plane.shape[-1], block)
    soft = F.grid_sample(plane, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if not sharpness:
        return soft
    sharp = F.grid_sample(plane, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return torch.lerp(soft, sharp, sharpness)


def warp_yuv(luma: Tensor, chroma: Tensor, field: Tensor, sharpness: float = 0.0) -> tuple[Tensor, Tensor]:
    """Warp a 4:2:0 picture by a block motion field.

    Args:
        luma: [N, 1, H, W]; chroma: [N, 2, H/2, W/2].
        field: [N, 2, H/8, W/8] quarter pixels of luma.
        sharpness: see `warp`.
    Returns:
        The warped (luma, chroma), same shapes.
    """
    return warp(luma, field, BLOCK, sharpness), warp(chroma, field * 0.5, BLOCK // 2, sharpness)


def blurred(plane: Tensor, reach: int) -> Tensor:
    """Mean over `reach` pixels each way of a plane [N, C, H, W], edges replicated."""
    return F.avg_pool2d(F.pad(plane, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)
