"""The loop filter of predicted pictures: dense convolutions at 1/4 of the resolution, trained on what the codec decodes.

Blocks of vectors and of the transform leave edges that are in neither the prediction's sources nor the picture, and what is
mended here is what later pictures are predicted from (H.264's deblocking and HEVC's sample adaptive offset, learned). At a
quarter of the resolution a position is a 4x4 corner of an 8x8 block, so that the network is told which corner it has; there
dense convolutions are several times faster than depthwise ones over pixels, at equal multiplications.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.layers import dense

PICTURE = 96
"""Channels of a packed picture at 1/8 scale."""
PLANES = 24
"""Channels of a picture at a quarter of the resolution: 16 of luma, 4 of each chroma plane."""
HALF = 6
"""Channels of a picture at half resolution: four luma phases, two chroma planes."""
PLACE = 3
"""Channels that say which corner of a block a position is (below, right: -1 or 1), and how fine the quantiser is."""
CODED = 1e-5
"""A difference to the prediction that is more than rounding."""
MIDDLE = 0.1
"""Quantiser step that the network takes for neither fine nor coarse."""


class LoopFilter(nn.Module):
    """Decoded pictures and their prediction -> mended pictures. Starts as no change.

    Args of the constructor:
        width: channels. blocks: convolutions between the first and the last.
    """

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2 * PLANES + PLACE, width, 3)
        self.blocks = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(blocks))
        self.head = nn.Conv2d(width, PLANES, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, rough: Tensor, base: Tensor, step: Tensor) -> Tensor:
        """Mend.

        Args:
            rough, base: packed pictures [N, 96 f, h, w] as decoded and as predicted, f of a sample side by side.
            step: nominal quantiser step, [N, 1, .., ..] at any scale.
        Returns:
            [N, 96 f, h, w].
        """
        size = (2 * rough.shape[-2], 2 * rough.shape[-1])
        unit = F.interpolate(step.repeat_interleave(rough.shape[1] // PICTURE, dim=0), size)
        pixels, place = self._stem_weights()
        # divided behind the convolution: a step that changes from area to area is no edge in the picture
        coded = apart(rough - base)
        x = F.conv2d(_beyond(dense(apart(rough), coded)), pixels) / unit
        x = x + F.conv2d(_beyond(dense(self._place(unit))), place, self.stem.bias)
        for block in self.blocks:
            x = x + block(F.relu(x))
        change = self.head(F.relu(x)).float() * unit * near(coded, 2)
        return rough + together(change).reshape(rough.shape)

    def _stem_weights(self) -> tuple[Tensor, Tensor]:
        """The first layer's weights over pixels, those of one decoded plane adding up to zero (it sees no brightness), and
        over the rest.
        """
        luma, blue, red, change, place = self.stem.weight.split((16, 4, 4, PLANES, PLACE), dim=1)
        planes = [part - part.mean((1, 2, 3), keepdim=True) for part in (luma, blue, red)]
        return torch.cat([*planes, change], dim=1), place

    def _place(self, unit: Tensor) -> Tensor:
        """Which corner of a block each position is, and the quantiser's fineness, [N, PLACE, 2 h, 2 w]."""
        height, width = unit.shape[-2:]
        side = torch.tensor((-1.0, 1.0), device=unit.device)
        below = side.view(1, 1, 2, 1).repeat(1, 1, height // 2, width)
        right = side.view(1, 1, 1, 2).repeat(1, 1, height, width // 2)
        return torch.cat((below.expand_as(unit), right.expand_as(unit), (unit / MIDDLE).log()), dim=1)


def near(coded: Tensor, side: int) -> Tensor:
    """1 in blocks in which something was coded, and around them, else 0: [N, C, H, W] -> [N, 1, H, W].

    Blocks that are only carried on are not filtered again in picture after picture, or they would lose all their detail.

    Args:
        coded: difference to the prediction. side: of a block, positions.
    """
    blocks = F.max_pool2d(coded.abs().amax(1, keepdim=True), side)
    around = F.max_pool2d((blocks > CODED).to(coded.dtype), 3, stride=1, padding=1)
    return F.interpolate(around, scale_factor=float(side))


def _beyond(x: Tensor) -> Tensor:
    """One position more on each side."""
    return F.pad(x, (1, 1, 1, 1), mode="replicate")


def apart(packed: Tensor) -> Tensor:
    """[N, 96 f, h, w] -> [N f, 24, 2 h, 2 w], luma first; the pictures of a sample one after the other."""
    height, width = packed.shape[-2:]
    # channels of a position: luma phases and chroma planes, rows and columns of 4
    each = packed.reshape(-1, HALF, 2, 2, 2, 2, height, width)
    return each.permute(0, 1, 3, 5, 6, 2, 7, 4).reshape(-1, PLANES, 2 * height, 2 * width)


def together(pictures: Tensor) -> Tensor:
    """The inverse of `apart` for single pictures: [N, 24, 2 h, 2 w] -> [N, 96, h, w]."""
    height, width = pictures.shape[-2] // 2, pictures.shape[-1] // 2
    each = pictures.reshape(-1, HALF, 2, 2, height, 2, width, 2)
    return each.permute(0, 1, 5, 2, 7, 3, 4, 6).reshape(-1, PICTURE, height, width)
