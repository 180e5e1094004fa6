"""Filters at half resolution, of dense convolutions, trained on what the codec decodes.

What is mended is the same at every pixel, so that what a network learns at one it should know at all: at a quarter of the
resolution it has to be learned four times as often, and twice the multiplications reached 0.3 dB less after equal training
(docs/experiments.md). Depthwise convolutions need fewer multiplications, and more time. A key frame is one picture of a GOP,
and all others are predicted from it, so that its filter may cost what theirs may not; an anchor is one of four. Nothing is
predicted from frames between: theirs is no loop filter, and sees what each of the two anchors made of a frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.layers import dense
from xvcodec.models.loop_filter import PICTURE, near
from xvcodec.models.refine import PACKED, PLANES

SIDE, PREDICTED_SIDE = 8, 4
"""Positions at half resolution on a side of a patch of key frames and of others: networks are told which one they have."""
MIDDLE = 0.1
"""Quantiser step that the network takes for neither fine nor coarse."""


class FineFilter(nn.Module):
    """What all have in common. Starts as no change.

    Args of the constructor:
        width: channels. blocks: convolutions between the first and the last.
        planes: that it sees. side: of a patch, positions at half resolution.
    """

    def __init__(self, width: int, blocks: int, planes: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.stem = nn.Conv2d(planes, width, 3)
        self.place = nn.Parameter(torch.randn(1, width, side, side) * 0.1)
        self.fine = nn.Parameter(torch.randn(1, width, 1, 1) * 0.1)
        self.blocks = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(blocks))
        self.head = nn.Conv2d(width, PLANES, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def change(self, seen: Tensor, step: Tensor) -> Tensor:
        """What pictures lack.

        Args:
            seen: [N, planes, 4 h, 4 w], the picture's own planes first.
            step: nominal quantiser step, [N, 1, .., ..] at any scale.
        Returns:
            [N, PLANES, 4 h, 4 w].
        """
        unit = F.interpolate(step, seen.shape[-2:])
        # divided behind the convolution: a step that changes from area to area is no edge in the picture
        x = F.conv2d(dense(F.pad(seen, (1, 1, 1, 1), mode="replicate")), self._stem_weight())
        x = x * (1.0 / unit).to(x.dtype) + self._place(unit).to(x.dtype)
        for block in self.blocks:
            x = x + block(F.relu(x))
        return self.head(F.relu(x)).float() * unit

    def _stem_weight(self) -> Tensor:
        """The first layer's weights, those of each plane of the picture adding up to zero: it sees no brightness."""
        *planes, rest = self.stem.weight.split((PLANES - 2, 1, 1, self.stem.in_channels - PLANES), dim=1)
        return torch.cat([*(part - part.mean((1, 2, 3), keepdim=True) for part in planes), rest], dim=1)

    def _place(self, unit: Tensor) -> Tensor:
        """What the first layer adds for the place in a patch, and for the quantiser's fineness, [N, width, 4 h, 4 w]."""
        assert self.stem.bias is not None
        each = (self.place + self.stem.bias[:, None, None]).contiguous(memory_format=torch.channels_last)
        tiled = each.repeat(1, 1, unit.shape[-2] // self.side, unit.shape[-1] // self.side)
        return dense(tiled + self.fine * (unit / MIDDLE).log())


class KeyFilter(FineFilter):
    """Decoded key frames -> mended ones."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__(width, blocks, PLANES, SIDE)

    def forward(self, rough: Tensor, step: Tensor) -> Tensor:
        """Mend packed pictures [N, 96, h, w] as decoded; step: nominal quantiser step, [N, 1, .., ..] at any scale."""
        return rough + fold(self.change(spread(rough), step))


class AnchorFilter(FineFilter):
    """Decoded anchors -> mended ones, changed only where something was coded, see `LoopFilter`."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__(width, blocks, 2 * PLANES, PREDICTED_SIDE)

    def forward(self, rough: Tensor, base: Tensor, step: Tensor) -> Tensor:
        """Mend; arguments and result as of `LoopFilter`, one picture a sample."""
        coded = spread(rough - base)
        return rough + fold(self.change(torch.cat((spread(rough), coded), dim=1), step) * near(coded, PREDICTED_SIDE))


class BetweenFilter(FineFilter):
    """Decoded frames between two anchors -> mended ones. Where both predictions differ, one of them is wrong or blurred."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__(width, blocks, 3 * PLANES, PREDICTED_SIDE)

    def forward(self, rough: Tensor, base: Tensor, half: Tensor, step: Tensor) -> Tensor:
        """Mend.

        Args:
            rough, base, half: packed pictures [N, 96 f, h, w] as decoded, as predicted, and half the difference of what
                the anchors before and after predict, f of a sample side by side.
            step: nominal quantiser step, [N, 1, .., ..] at any scale.
        Returns:
            [N, 96 f, h, w].
        """
        together = rough.shape[1] // PICTURE
        each = [spread(packed.reshape(-1, PICTURE, *packed.shape[2:])) for packed in (rough, rough - base, half)]
        change = self.change(torch.cat(each, dim=1), step.repeat_interleave(together, dim=0))
        return rough + fold(change).reshape(rough.shape)


def spread(packed: Tensor) -> Tensor:
    """[N, 96, h, w] -> [N, 6, 4 h, 4 w]."""
    return F.pixel_shuffle(packed, PACKED)


def fold(planes: Tensor) -> Tensor:
    """The inverse of `spread`."""
    return F.pixel_unshuffle(planes, PACKED)
