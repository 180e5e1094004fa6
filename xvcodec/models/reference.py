"""The picture that blocks are looked for in, prepared so that candidates cost little.

Only the encoder's search uses this; what it finds at full resolution is what `xvcodec.models.warp` will predict.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.warp import QUARTER, SHARPNESS, warp

FAR = 3
"""Coarsest level of a picture that is searched, an eighth of its resolution."""
MARGIN = 24
"""Pixels around a picture that a block of 16x16 may reach into; farther out all blocks are alike."""


@dataclass(frozen=True)
class Reference:
    """A picture that blocks are looked for in, luma [N, 1, H, W]."""

    levels: list[Tensor]  # see `levels`
    phases: Tensor  # see `phases_of`

    @classmethod
    def of(cls, luma: Tensor) -> Reference:
        """Made once, sampled often."""
        return cls(levels(luma), phases_of(luma))

    def match(self, fields: Tensor, level: int) -> Tensor:
        """The picture at a level, moved by fields [K, N, 2, h, w]: [K * N, 1, H, W]."""
        if level:
            plane = self.levels[level].unsqueeze(0).expand(fields.shape[0], *self.levels[level].shape).flatten(0, 1)
            return warp(plane, fields.flatten(0, 1) * 0.5**level, plane.shape[-1] // fields.shape[-1])
        return self._whole(fields)

    def _whole(self, fields: Tensor) -> Tensor:
        """The same at full resolution: blocks are copied row by row out of the phases, many times faster than sampling."""
        tries, count, _, rows, columns = fields.shape
        height, width = self.levels[0].shape[-2:]
        block = height // rows
        high, wide = self.phases.shape[-2:]
        whole = fields.long()
        x, y = whole[:, :, 0], whole[:, :, 1]
        left, top = ((torch.arange(size, device=fields.device) * block) for size in (columns, rows))
        x0 = (left + (x >> 2)).clamp(-MARGIN, width + MARGIN - block) + MARGIN
        y0 = (top.unsqueeze(1) + (y >> 2)).clamp(-MARGIN, height + MARGIN - block) + MARGIN
        picture = torch.arange(count, device=fields.device).view(-1, 1, 1) * QUARTER**2
        start = ((picture + (y & 3) * QUARTER + (x & 3)) * high + y0) * wide + x0
        lines = start.unsqueeze(3) + (torch.arange(block, device=fields.device) * wide).view(block, 1)
        flat = self.phases.flatten()
        windows = flat.as_strided((flat.numel() - block + 1, block), (1, 1))
        return windows.index_select(0, lines.flatten()).view(tries * count, 1, height, width)


def levels(luma: Tensor) -> list[Tensor]:
    """The luma and its halves: level 0 is full resolution, level FAR an eighth."""
    halves = [luma]
    for _ in range(FAR):
        halves.append(F.avg_pool2d(halves[-1], 2))
    return halves


def phases_of(luma: Tensor) -> Tensor:
    """Luma [N, 1, H, W] moved by 0 to 3 quarter pixels each way as `warp_yuv` does, [N * 16, H + 2 MARGIN, W + 2 MARGIN]."""
    rest = torch.arange(QUARTER, device=luma.device) / QUARTER
    soft, sharp = (torch.einsum("iy,jx->ijyx", taps, taps) for taps in (_linear(rest), _cubic(rest)))
    kernels = torch.lerp(soft, sharp, SHARPNESS).flatten(0, 1).unsqueeze(1)
    wide = F.pad(luma, (MARGIN + 1, MARGIN + 2, MARGIN + 1, MARGIN + 2), mode="replicate")
    return F.conv2d(wide, kernels).flatten(0, 1)


def _linear(rest: Tensor) -> Tensor:
    """Weights of the four pixels around a place `rest` behind the second, [..., 4]."""
    none = torch.zeros_like(rest)
    return torch.stack((none, 1.0 - rest, rest, none), -1)


def _cubic(rest: Tensor, a: float = -0.75) -> Tensor:
    """The same for cubic convolution."""
    def near(d: Tensor) -> Tensor:
        return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0

    def far(d: Tensor) -> Tensor:
        return ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a

    return torch.stack((far(rest + 1.0), near(rest), near(1.0 - rest), far(2.0 - rest)), -1)
