"""What stands behind the loop: a small U-Net over half-resolution planes, with the caption at its narrowest.

Two of them. `mean` adds what the decoded picture lacks on average. `flow` is a rectified flow (Liu et al., 2022) for the
rest: from noise x at time 0 to a detail r at time 1 along straight lines, x(t) = t r + (1 - t) x(0). It predicts r itself,
from which the velocity (r - x) / (1 - t) follows; its last layer starts at zero, so that an untrained flow ends at the mean.

Both see pictures in units of the quantiser step, so that one network serves all qualities.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.coder import nominal_step
from xvcodec.models.crossmodal import CHROMA
from xvcodec.models.layers import Block, Knots, Pointwise, TextAttention, both_sides, dense
from xvcodec.models.refine import FLAT, REACH
from xvcodec.models.refine import PLANES as PLANES  # of what painters see, too

UNIT = 0.5
"""Details are counted in UNIT quantiser steps of the picture's quality."""


def halves(luma: Tensor, chroma: Tensor) -> Tensor:
    """Planes [N, 1, H, W] and [N, 2, H/2, W/2] -> [N, 6, H/2, W/2]: four phases of luma, and chroma, scaled."""
    return torch.cat((F.pixel_unshuffle(luma, 2), chroma * CHROMA), dim=1)


def wholes(planes: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `halves`."""
    return F.pixel_shuffle(planes[:, :4], 2), planes[:, 4:] / CHROMA


def unit_of(q: Tensor) -> Tensor:
    """What details are counted in, [N, 1, 1, 1] in picture units."""
    return (nominal_step(q) * UNIT)[:, None, None, None]


class Painter(nn.Module):
    """Planes at half resolution -> detail that is missing, [N, 6, H/2, W/2] in units of `unit_of`."""

    def __init__(self, widths: tuple[int, int, int], text: int, drawn: bool) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.drawn = drawn
        self.stem = nn.Conv2d(2 * PLANES + 1 if drawn else PLANES, fine, 3, padding=1)
        self.tone = Knots(torch.ones(fine))
        self.down, self.lower = Pointwise(4 * fine, middle), Pointwise(4 * middle, coarse)
        self.fine, self.middle, self.coarse = (nn.ModuleList(Block(width) for _ in range(2)) for width in widths)
        self.attention = TextAttention(coarse, text)
        self.rise, self.up = Pointwise(coarse, 4 * middle), Pointwise(middle, 4 * fine)
        self.head = nn.Conv2d(2 * fine, PLANES, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, planes: Tensor, q: Tensor, text: Tensor, mask: Tensor, state: Tensor | None = None,
                time: Tensor | None = None) -> Tensor:
        """Look at a picture.

        Args:
            planes: [N, 6, H/2, W/2] of `halves`. q: [N] the quality that the picture was coded at.
            text, mask: the caption.
            state, time: x [N, 6, H/2, W/2] and t [N] of a flow.
        """
        flat = F.interpolate(F.avg_pool2d(planes, FLAT), scale_factor=float(FLAT), mode="bilinear")
        seen = [((planes - flat) / unit_of(q)).clamp(-REACH, REACH)]
        if state is not None and time is not None:
            seen += [state, time[:, None, None, None].expand(-1, 1, *state.shape[2:])]
        fine = self.fine[0](self.stem(dense(*seen)) * self.tone(q))
        middle = self.middle[0](self.down(F.pixel_unshuffle(fine, 2)))
        coarse = self.attention(self.lower(F.pixel_unshuffle(middle, 2)), tokens=text, mask=mask)
        for block in self.coarse:
            coarse = block(coarse)
        middle = self.middle[1](middle + F.pixel_shuffle(self.rise(coarse), 2))
        fine = self.fine[1](fine + F.pixel_shuffle(self.up(middle), 2))
        return self.head(both_sides(fine)).float()
