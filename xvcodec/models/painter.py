"""What stands behind the loop: dense convolutions at a quarter of the resolution, with the caption at an eighth.

Two of them. `mean` adds what the decoded picture lacks on average. `flow` is a rectified flow (Liu et al., 2022) for the
rest: from noise x at time 0 to a detail r at time 1 along straight lines, x(t) = t r + (1 - t) x(0). It predicts r itself,
from which the velocity (r - x) / (1 - t) follows; its last layer starts at zero, so that an untrained flow ends at the mean.

Both see pictures in units of the quantiser step, so that one network serves all qualities. Where a position is 4x4 pixels,
convolutions are wide and few, which is what matrix units of CPUs and GPUs are fast at (docs/experiments.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.coder import nominal_step
from xvcodec.models.crossmodal import CHROMA
from xvcodec.models.layers import Knots, Pointwise, TextAttention, dense

PLANES = 24
"""Channels of a picture at a quarter of the resolution: 16 phases of luma, 4 of each chroma plane."""
SIDE = 4
"""Pixels on a side of a position."""
UNIT = 0.15
"""Details are counted in UNIT quantiser steps of the picture's quality: about their deviation at low rates."""
FLAT = 4
"""Side of the squares, in positions, whose mean is taken off: painters see details, not brightness."""
REACH = 20.0
"""Inputs are clamped to +-REACH units."""
LEAK = 0.2
"""What activations leave of values below zero."""


def quarters(luma: Tensor, chroma: Tensor) -> Tensor:
    """Planes [N, 1, H, W] and [N, 2, H/2, W/2] -> [N, 24, H/4, W/4]: their phases side by side, chroma scaled."""
    return torch.cat((F.pixel_unshuffle(luma, SIDE), F.pixel_unshuffle(chroma * CHROMA, SIDE // 2)), dim=1)


def wholes(planes: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `quarters`."""
    phases = SIDE * SIDE
    return F.pixel_shuffle(planes[:, :phases], SIDE), F.pixel_shuffle(planes[:, phases:], SIDE // 2) / CHROMA


def unit_of(q: Tensor) -> Tensor:
    """What details are counted in, [N, 1, 1, 1] in picture units."""
    return (nominal_step(q) * UNIT)[:, None, None, None]


@dataclass(frozen=True)
class PainterConfig:
    """Sizes of a painter."""

    width: int  # channels of all convolutions
    fine: int  # convolutions at 1/4 before the coarse ones, and again after them
    coarse: int  # convolutions at 1/8


class Painter(nn.Module):
    """Planes at a quarter of the resolution -> detail that is missing, [N, 24, H/4, W/4] in units of `unit_of`."""

    def __init__(self, config: PainterConfig, text: int, drawn: bool) -> None:
        super().__init__()
        width = config.width

        def convolutions(count: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(count))

        self.stem = nn.Conv2d(2 * PLANES + 1 if drawn else PLANES, width, 3, padding=1)
        self.tone = Knots(torch.ones(width))
        self.fine, self.coarse, self.last = (convolutions(count) for count in (config.fine, config.coarse, config.fine))
        self.down, self.up = Pointwise(4 * width, width), Pointwise(width, 4 * width)
        self.attention = TextAttention(width, text)
        self.head = nn.Conv2d(width, PLANES, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, planes: Tensor, q: Tensor, text: Tensor, mask: Tensor, state: Tensor | None = None,
                time: Tensor | None = None) -> Tensor:
        """Look at a picture.

        Args:
            planes: [N, 24, H/4, W/4] of `quarters`. q: [N] the quality that the picture was coded at.
            text, mask: the caption.
            state, time: x [N, 24, H/4, W/4] and t [N] of a flow.
        """
        seen = [((planes - _flat(planes)) / unit_of(q)).clamp(-REACH, REACH)]
        if state is not None and time is not None:
            seen += [state, time[:, None, None, None].expand(-1, 1, *state.shape[2:])]
        x = _deeper(self.stem(dense(*seen)) * self.tone(q), self.fine)
        coarse = self.attention(self.down(F.pixel_unshuffle(x, 2)), tokens=text, mask=mask)
        x = x + F.pixel_shuffle(self.up(_deeper(coarse, self.coarse)), 2)
        return self.head(_open(_deeper(x, self.last))).float()


def _open(x: Tensor) -> Tensor:
    """ReLU that never closes: with a plain one the head saw nothing but zeros after 1200 steps (docs/experiments.md)."""
    return F.leaky_relu(x, LEAK)


def _deeper(x: Tensor, convolutions: nn.ModuleList) -> Tensor:
    """Residual convolutions."""
    for convolution in convolutions:
        x = x + convolution(_open(x))
    return x


def _flat(planes: Tensor) -> Tensor:
    """Brightness and colour of the surroundings of each position, the same for all phases of a plane."""
    phases = SIDE * SIDE
    means = [part.mean(1, keepdim=True) for part in planes.split((phases, phases // 4, phases // 4), dim=1)]
    smooth = F.interpolate(F.avg_pool2d(torch.cat(means, dim=1), FLAT), scale_factor=float(FLAT), mode="bilinear")
    luma, blue, red = smooth.split(1, dim=1)
    return torch.cat((luma.expand(-1, phases, -1, -1), *(each.expand(-1, phases // 4, -1, -1) for each in (blue, red))), 1)
