"""What stands behind the loop: networks that see a decoded picture at a half, a quarter and an eighth of the resolution.

Two of them. `mean` adds what the decoded picture lacks on average. `flow` is a rectified flow (Liu et al., 2022) for what it
lacks: from noise x at time 0 to a detail r at time 1 along straight lines, x(t) = t r + (1 - t) x(0). It predicts r itself,
from which the velocity (r - x) / (1 - t) follows; its last layer starts at zero, so that an untrained flow changes nothing.

Details are counted in units of the quantiser step, so that one network serves all qualities. Convolutions are dense: those
are what matrix units of CPUs and GPUs are fast at (docs/experiments.md). The caption is read at an eighth; there may be
layers of a transformer, too, over patches of 8x8 pixels and with attention in windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.coder import nominal_step
from xvcodec.models.crossmodal import CHROMA
from xvcodec.models.hints import Told, opened
from xvcodec.models.layers import Pointwise, TextAttention, dense
from xvcodec.models.windows import WindowLayer

PLANES = 6
"""Channels of a picture at half resolution: 4 phases of luma, two of chroma."""
SIDE = 8
"""Positions at half resolution on a side of the transform's largest patches: networks are told where they are in one."""
UNIT = 0.1
"""Details are counted in UNIT quantiser steps of a GOP's quality: about their deviation."""
Sizes = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Of a painter, as `PainterConfig` begins with them."""
MEAN: Sizes = ((48, 2), (64, 2), (96, 2))
FLOW: Sizes = ((48, 2), (96, 2), (128, 3))
"""Of the painters of models that ship."""


def halves(luma: Tensor, chroma: Tensor) -> Tensor:
    """Planes [N, 1, H, W] and [N, 2, H/2, W/2] -> [N, 6, H/2, W/2]: phases of luma, then chroma, scaled."""
    return torch.cat((F.pixel_unshuffle(luma, 2), chroma * CHROMA), dim=1)


def wholes(planes: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `halves`."""
    return F.pixel_shuffle(planes[:, :4], 2), planes[:, 4:] / CHROMA


def unit_of(q: Tensor) -> Tensor:
    """What details are counted in at quality q [N], [N, 1, 1, 1] in picture units."""
    return (nominal_step(q) * UNIT)[:, None, None, None]


@dataclass(frozen=True)
class PainterConfig:
    """Sizes of a painter at a half, a quarter and an eighth of the resolution."""

    fine: tuple[int, int]  # channels, and convolutions both before and after the coarser ones
    middle: tuple[int, int]
    coarse: tuple[int, int]  # channels, and convolutions
    layers: int = 0  # of the transformer, between the caption and these convolutions
    hints: int = 0  # that it is told for each area, see `xvcodec.models.hints`


class Painter(nn.Module):
    """A picture at half resolution -> detail that is missing, [N, 6, H/2, W/2] in units of `unit_of`."""

    def __init__(self, config: PainterConfig, text: int, drawn: bool) -> None:
        super().__init__()
        fine, middle, coarse = config.fine[0], config.middle[0], config.coarse[0]
        self.stem = nn.Conv2d(PLANES, fine, 3)
        self.place = nn.Parameter(torch.randn(1, fine, SIDE, SIDE) * 0.1)
        self.level = nn.Parameter(torch.randn(1, fine, 1, 1) * 0.1)
        self.state = nn.Conv2d(PLANES + 1, fine, 3, padding=1) if drawn else None
        self.first, self.last = _convolutions(*config.fine), _convolutions(*config.fine)
        self.second, self.later = _convolutions(*config.middle), _convolutions(*config.middle)
        self.third = _convolutions(*config.coarse)
        self.down, self.up = _down(fine, middle), _up(middle, fine)
        self.deeper, self.higher = _down(middle, coarse), _up(coarse, middle)
        self.attention = TextAttention(coarse, text)
        self.layers = nn.ModuleList(WindowLayer(coarse) for _ in range(config.layers))
        self.told = nn.ModuleList(Told(config.hints, width) for width in (fine, coarse)) if config.hints else None
        self.head = nn.Conv2d(fine, PLANES, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, planes: Tensor, q: Tensor, text: Tensor, mask: Tensor, state: Tensor | None = None,
                time: Tensor | None = None, hints: Tensor | None = None) -> Tensor:
        """Look at a picture.

        Args:
            planes: [N, 6, H/2, W/2] of `halves`, H and W multiples of 32. q: [N] its quality, crf, see `unit_of`.
            text, mask: the caption.
            state, time: x [N, 6, H/2, W/2] and t [N] of a flow. hints: [N, hints, H/16, W/16].
        """
        x = self._seen(planes, unit_of(q))
        if self.state is not None and state is not None and time is not None:
            x = x + self.state(dense(state, time[:, None, None, None].expand(-1, 1, *state.shape[2:])))
        if self.told is not None and hints is not None:
            x = self.told[0](x, hints)
        x = _through(x, self.first)
        middle = _through(self.down(F.pixel_unshuffle(x, 2)), self.second)
        coarse = self.attention(self.deeper(F.pixel_unshuffle(middle, 2)), tokens=text, mask=mask)
        if self.told is not None and hints is not None:
            coarse = self.told[1](coarse, hints)
        for layer in self.layers:
            coarse = layer(coarse)
        middle = middle + F.pixel_shuffle(self.higher(_through(coarse, self.third)), 2)
        x = x + F.pixel_shuffle(self.up(_through(middle, self.later)), 2)
        return self.head(opened(_through(x, self.last))).float()

    def _seen(self, planes: Tensor, unit: Tensor) -> Tensor:
        """The first layer, whose weights add up to zero for luma and each plane of chroma: it sees no brightness."""
        weight = torch.cat([part - part.mean((1, 2, 3), keepdim=True)
                            for part in self.stem.weight.split((PLANES - 2, 1, 1), dim=1)], dim=1)
        x = F.conv2d(dense(F.pad(planes, (1, 1, 1, 1), mode="replicate")), weight)
        assert self.stem.bias is not None
        place = (self.place + self.stem.bias[:, None, None]).contiguous(memory_format=torch.channels_last)
        tiled = place.repeat(1, 1, planes.shape[-2] // SIDE, planes.shape[-1] // SIDE)
        return x * (1.0 / unit).to(x.dtype) + dense(tiled + self.level * (unit / UNIT).log()).to(x.dtype)


def _convolutions(width: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(count))


def _down(inputs: int, outputs: int) -> Pointwise:
    return Pointwise(4 * inputs, outputs)


def _up(inputs: int, outputs: int) -> Pointwise:
    return Pointwise(inputs, 4 * outputs)


def _through(x: Tensor, convolutions: nn.ModuleList) -> Tensor:
    """Residual convolutions."""
    for convolution in convolutions:
        x = x + convolution(opened(x))
    return x
