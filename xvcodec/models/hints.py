"""Hints: a few numbers for each area by which the encoder tells the flow what is lost there.

A flow that sees the decoded picture alone draws what is usual. The encoder knows what is lost: a network makes whole numbers
of it, which are coded for a GOP as they are, and the flow learns with that network what they mean. With zeros for hints it
draws what is usual.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.layers import Pointwise, dense

WIDTHS = (24, 32, 48, 48, 48)
"""Channels of `Teller` at a half of the resolution, a quarter and so on."""
HINTED = 16
"""Side of an area that hints are for, pixels."""
SOFT = 5
"""Side of the window, in positions, whose mean is taken off where networks shall see no brightness."""
LEAK = 0.2
"""What activations leave of values below zero."""
FAINT = 1e-12


class Teller(nn.Module):
    """What is lost -> hints, before they are rounded: what squares of two areas a side have in common, and each its own."""

    def __init__(self, planes: int, hints: int) -> None:
        super().__init__()
        first, second, third, fourth, last = WIDTHS
        self.stem = nn.Conv2d(4 * planes, first, 3, padding=1)
        self.to_quarter, self.at_quarter = Pointwise(4 * first, second), nn.Conv2d(second, second, 3, padding=1)
        self.to_eighth, self.at_eighth = Pointwise(4 * second, third), nn.Conv2d(third, third, 3, padding=1)
        self.narrow, self.narrower = Pointwise(4 * third, fourth), Pointwise(4 * fourth, last)
        self.at_sixteenth = nn.Conv2d(fourth, fourth, 3, padding=1)
        self.wide, self.own = nn.Conv2d(last, hints, 1), nn.Conv2d(fourth, hints, 1)
        nn.init.normal_(self.wide.weight, std=2.0 * last**-0.5)  # enough for rounding not to make all of them zero
        for head in (self.wide, self.own):
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    def forward(self, truth: Tensor, decoded: Tensor, unit: Tensor) -> Tensor:
        """Look at pictures.

        Args:
            truth, decoded: [N, planes, H/2, W/2], H and W multiples of 32. unit: [N, 1, 1, 1] what detail is counted in.
        Returns:
            [N, hints, H/16, W/16].
        """
        lost = (truth - decoded) / unit
        edge = SOFT // 2
        there = (decoded - F.avg_pool2d(F.pad(decoded, (edge, edge, edge, edge), mode="replicate"), SOFT, 1)) / unit
        x = opened(self.stem(dense(torch.cat((lost, lost.abs(), there, there.abs()), dim=1) * 0.5)))
        x = self.to_quarter(F.pixel_unshuffle(x, 2))
        x = self.to_eighth(F.pixel_unshuffle(opened(x + self.at_quarter(opened(x))), 2))
        x = self.narrow(F.pixel_unshuffle(opened(x + self.at_eighth(opened(x))), 2))
        around = opened(self.narrower(F.pixel_unshuffle(opened(x), 2)))
        x = opened(x + self.at_sixteenth(opened(x)))
        return F.interpolate(self.wide(_even(around)).float(), scale_factor=2.0) + self.own(_even(x)).float()


class Told(nn.Module):
    """Features that hints scale and shift. Starts as no change."""

    def __init__(self, hints: int, width: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(hints, 2 * width, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, hints: Tensor) -> Tensor:
        """Features [N, C, h, w] and hints [N, hints, H/16, W/16] -> [N, C, h, w]."""
        gates = F.interpolate(self.gate(dense(hints)).float(), size=x.shape[-2:], mode="bilinear").to(x.dtype)
        scale, shift = gates.chunk(2, dim=1)
        return x * (1.0 + scale) + shift


def _even(x: Tensor) -> Tensor:
    """Features of mean square 1 at each position."""
    return x * torch.rsqrt(x.float().square().mean(1, keepdim=True) + FAINT).to(x.dtype)


def opened(x: Tensor) -> Tensor:
    """ReLU that never closes: with a plain one a head saw nothing but zeros after 1200 steps (docs/experiments.md)."""
    return F.leaky_relu(x, LEAK)
