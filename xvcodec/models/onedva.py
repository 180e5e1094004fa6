"""The `onedva` family: a GOP as one sequence of tokens, as many as it needs, and a diffusion transformer in pixel space.

After One-DVA (shared idea: 1-D tokens, any prefix of which is a coarser description; a pixel-space diffusion decoder
conditioned on them). Tokens come from a closed-form path (motion-compensated temporal filtering and a DCT: `lifting`,
`patches`); the painter starts as no change to what that path decodes.

The painter sees patches of 8 x 8 pixels: what was decoded, and the picture that is being painted. Attention is within
windows of 4 x 4 patches, a depthwise convolution in every block lets windows see each other. It gives the finished
picture; flow matching follows straight paths from the decoded picture with noise of SPREAD thresholds to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.base import Model
from xvcodec.models.layers import Knots, Pointwise, TextAttention, both_sides, dense
from xvcodec.models.patches import CHROMA

SIDE = 8
VALUES = SIDE * SIDE * 3 // 2
WINDOW = 4
"""Patches on a side of a window of attention."""
SPREAD = 0.15
"""Noise of a picture not yet painted, in units of its threshold."""
REACH = 6.0
"""Inputs are clamped to +-REACH units."""
FLAT = 4
"""Patches on a side of the squares whose mean the painter does not see: it sees details, not brightness."""


@dataclass(frozen=True)
class OneDvaConfig:
    """Sizes of a onedva model."""

    family: ClassVar[str] = "onedva"
    name: str
    width: int = 128  # channels of the painter
    blocks: int = 4
    heads: int = 4
    text: int = 96  # size of a caption token


SMALL = OneDvaConfig("onedva")


def unit_of(level: Tensor) -> Tensor:
    """Threshold of a level in picture units, [N] -> [N, 1, 1, 1]: a level is four times its binary logarithm, from 2^-8
    on."""
    return torch.exp((level / 4.0 - 8.0) * 0.6931472)[:, None, None, None]


def pack(luma: Tensor, chroma: Tensor) -> Tensor:
    """[N, 1, H, W] and [N, 2, H/2, W/2] -> patches [N, 96, H/8, W/8], chroma scaled."""
    return torch.cat((F.pixel_unshuffle(luma, SIDE), F.pixel_unshuffle(chroma * CHROMA, SIDE // 2)), dim=1)


def unpack(packed: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `pack`."""
    return F.pixel_shuffle(packed[:, : SIDE**2], SIDE), F.pixel_shuffle(packed[:, SIDE**2 :], SIDE // 2) / CHROMA


class Layer(nn.Module):
    """A block of the painter: depthwise convolution, attention in windows, two layers; each scaled by quality and noise."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.near = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.query = Pointwise(width, 3 * width)
        self.out = Pointwise(width, width, zero=True)
        self.widen = Pointwise(width, 2 * width)
        self.narrow = Pointwise(2 * width, width, zero=True)
        self.place = nn.Parameter(torch.zeros(1, width, WINDOW, WINDOW))

    def forward(self, x: Tensor, tone: Tensor) -> Tensor:
        """[N, C, h, w], [N, C, 1, 1] -> [N, C, h, w], h and w multiples of WINDOW."""
        y = self.near(x) * tone
        place = self.place.repeat(1, 1, x.shape[2] // WINDOW, x.shape[3] // WINDOW)
        x = x + self.out(self._attend(self.query(y + place), x.shape))
        return x + self.narrow(F.silu(self.widen(self.near(x) * tone)))

    def _attend(self, asked: Tensor, shape: torch.Size) -> Tensor:
        count, width, height, wide = shape
        rows, columns = height // WINDOW, wide // WINDOW
        parts = asked.reshape(count, 3, self.heads, width // self.heads, rows, WINDOW, columns, WINDOW)
        parts = parts.permute(1, 0, 4, 6, 2, 5, 7, 3).reshape(3, count * rows * columns, self.heads, WINDOW**2,
                                                             width // self.heads)
        query, key, value = parts[0], parts[1], parts[2]
        score = torch.matmul(query, key.transpose(2, 3)) * ((width // self.heads) ** -0.5)
        answer = torch.matmul(torch.softmax(score.float(), dim=-1).to(value.dtype), value)
        answer = answer.reshape(count, rows, columns, self.heads, WINDOW, WINDOW, width // self.heads)
        return answer.permute(0, 3, 6, 1, 4, 2, 5).reshape(count, width, height, wide)


class Painter(nn.Module):
    """Decoded pictures and pictures with noise -> finished pictures. Starts as the decoded ones."""

    def __init__(self, config: OneDvaConfig) -> None:
        super().__init__()
        self.stem = Pointwise(2 * VALUES, config.width)
        self.tone = Knots(torch.ones(config.width))
        self.noise = nn.Parameter(torch.zeros(1, config.width, 1, 1))
        self.layers = nn.ModuleList(Layer(config.width, config.heads) for _ in range(config.blocks))
        self.attention = TextAttention(config.width, config.text)
        self.head = Pointwise(2 * config.width, VALUES, zero=True)

    def forward(self, rough: Tensor, state: Tensor, time: Tensor, level: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Paint.

        Args:
            rough, state: packed pictures [N, 96, h, w] as decoded, and with noise.
            time: share of noise in `state`, [N], 0 (none) to 1; level: see `unit_of`, [N].
            text, mask: the caption, [N, T, D] and [N, T].
        Returns:
            packed pictures.
        """
        unit = unit_of(level)
        means = F.interpolate(F.avg_pool2d(rough, FLAT), scale_factor=float(FLAT), mode="nearest")
        planes = [means[:, : SIDE**2].mean(1, keepdim=True).expand(-1, SIDE**2, -1, -1),
                  means[:, SIDE**2 : SIDE**2 * 5 // 4].mean(1, keepdim=True).expand(-1, SIDE**2 // 4, -1, -1),
                  means[:, SIDE**2 * 5 // 4 :].mean(1, keepdim=True).expand(-1, SIDE**2 // 4, -1, -1)]
        detail = ((rough - torch.cat(planes, dim=1)) / unit).clamp(-REACH, REACH)
        change = ((state - rough) / unit).clamp(-REACH, REACH)
        x = self.stem(dense(detail, change)) + self.noise * time[:, None, None, None]
        tone = self.tone(level)
        for number, layer in enumerate(self.layers):
            x = layer(x, tone)
            if number == len(self.layers) // 2:
                x = self.attention(x, tokens=text, mask=mask)
        return rough + self.head(both_sides(x)).float() * unit


class OneDva(Model):
    """The painter; everything else is closed form."""

    def __init__(self, config: OneDvaConfig) -> None:
        super().__init__()
        self.config = config
        self.painter = Painter(config)
