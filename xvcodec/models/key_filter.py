"""The loop filter of key frames: dense convolutions at half resolution, trained on what the codec decodes.

What is mended is the same at every pixel, so that what a network learns at one it should know at all: at a quarter of the
resolution it has to be learned four times as often, and twice the multiplications reached 0.3 dB less after equal training
(docs/experiments.md). Depthwise convolutions of as many channels (`Refiner`) take as long, and mend less. A key frame is one
picture of a GOP, and all others are predicted from it, so that its filter may cost what theirs may not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.layers import dense
from xvcodec.models.refine import PACKED, PLANES

SIDE = 8
"""Positions at half resolution on a side of a patch: the network is told which of them it has."""
MIDDLE = 0.1
"""Quantiser step that the network takes for neither fine nor coarse."""


class KeyFilter(nn.Module):
    """Decoded key frames -> mended ones. Starts as no change.

    Args of the constructor:
        width: channels. blocks: convolutions between the first and the last.
    """

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(PLANES, width, 3)
        self.place = nn.Parameter(torch.randn(1, width, SIDE, SIDE) * 0.1)
        self.fine = nn.Parameter(torch.randn(1, width, 1, 1) * 0.1)
        self.blocks = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(blocks))
        self.head = nn.Conv2d(width, PLANES, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, rough: Tensor, step: Tensor) -> Tensor:
        """Mend.

        Args:
            rough: packed pictures [N, 96, h, w] as decoded.
            step: nominal quantiser step, [N, 1, .., ..] at any scale.
        Returns:
            [N, 96, h, w].
        """
        picture = F.pixel_shuffle(rough, PACKED)
        unit = F.interpolate(step, picture.shape[-2:])
        # divided behind the convolution: a step that changes from area to area is no edge in the picture
        x = F.conv2d(dense(F.pad(picture, (1, 1, 1, 1), mode="replicate")), self._stem_weight())
        x = x * (1.0 / unit).to(x.dtype) + self._place(unit).to(x.dtype)
        for block in self.blocks:
            x = x + block(F.relu(x))
        change = self.head(F.relu(x)).float() * unit
        return rough + F.pixel_unshuffle(change, PACKED)

    def _stem_weight(self) -> Tensor:
        """The first layer's weights, those of each plane adding up to zero: it sees no brightness."""
        planes = self.stem.weight.split((PLANES - 2, 1, 1), dim=1)
        return torch.cat([part - part.mean((1, 2, 3), keepdim=True) for part in planes], dim=1)

    def _place(self, unit: Tensor) -> Tensor:
        """What the first layer adds for the place in a patch, and for the quantiser's fineness, [N, width, 4 h, 4 w]."""
        assert self.stem.bias is not None
        each = (self.place + self.stem.bias[:, None, None]).contiguous(memory_format=torch.channels_last)
        tiled = each.repeat(1, 1, unit.shape[-2] // SIDE, unit.shape[-1] // SIDE)
        return dense(tiled + self.fine * (unit / MIDDLE).log())
