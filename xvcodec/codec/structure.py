"""How luma differs from what it should be, as a loss and for choices of the encoder: in structure, and in texture.

Structure is MS-SSIM's (Wang et al., 2003), as in `xvcodec.metrics.msssim`: windows and scales are the same; shares are
summed, not multiplied. Texture is how much fine detail there is, wherever exactly, as x264's psychovisual decisions have it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SHARES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""What each scale counts, the finest first."""
WINDOW, DEVIATION = 11, 1.5
"""Side and standard deviation of the Gaussian window, pixels."""
SQUARE, FAINT = 16, (2.0 / 255) ** 2
"""Side of the squares in which texture is counted, and energy below which nobody sees it."""
STABLE = 0.03**2
"""What keeps flat windows from dividing by zero, for a range of one."""


def dissimilarity(one: Tensor, other: Tensor) -> Tensor:
    """1 - contrast and structure of planes [N, 1, H, W] in a range of one, mean over the scales that a window fits into."""
    total, shares = one.new_zeros((), dtype=torch.float32), 0.0
    with torch.autocast(one.device.type, enabled=False):  # variances are differences of large numbers
        pair = torch.cat((one, other)).float()
        for share in SHARES:
            if min(pair.shape[-2:]) < WINDOW:
                break
            total, shares = total + share * (1.0 - _alike(*pair.chunk(2)).mean()), shares + share
            pair = F.avg_pool2d(pair, 2)
    return total / shares


def texture_gap(one: Tensor, other: Tensor) -> Tensor:
    """How far apart energies of fine detail are in planes [N, 1, H, W] in a range of one, mean logarithm over squares."""
    return (_texture(one.float()).log() - _texture(other.float()).log()).abs().mean()


def _texture(plane: Tensor) -> Tensor:
    soft = F.interpolate(F.avg_pool2d(plane, 2), size=plane.shape[-2:], mode="bilinear")
    return F.avg_pool2d((plane - soft).square(), SQUARE) + FAINT


def _alike(one: Tensor, other: Tensor) -> Tensor:
    """Contrast and structure of each window, -1 to 1."""
    rows, columns = (_windows(size, one.device) for size in one.shape[-2:])
    seen = rows @ torch.stack((one, other, one * one, other * other, one * other)) @ columns.T
    a, b, aa, bb, ab = seen.unbind()
    return (2.0 * (ab - a * b) + STABLE) / (aa - a * a + bb - b * b + STABLE)


def _windows(size: int, device: torch.device) -> Tensor:
    """Gaussian weights of each window that lies within `size` samples, [size - WINDOW + 1, size]."""
    away = torch.arange(size, device=device) - torch.arange(size - WINDOW + 1, device=device)[:, None] - WINDOW // 2
    weights = torch.exp(away.float().square() / (-2.0 * DEVIATION**2)) * (away.abs() <= WINDOW // 2)
    return weights / weights.sum(1, keepdim=True)
