"""The `onedva` family: a GOP as one sequence of tokens, as many as it needs, and a diffusion transformer in pixel space.

After One-DVA (shared idea: 1-D tokens, any prefix of which is a coarser description; a pixel-space diffusion decoder
conditioned on them). Tokens come from a closed-form path (motion-compensated prediction in a chain and a DCT: `chain`,
`patches`); the painter starts as no change to what that path decodes.

The painter sees what was decoded and the picture that is being painted. Dense convolutions at a quarter of the resolution
mend edges of blocks; between them stands a transformer over patches of 8 x 8 pixels with attention in windows of 4 x 4
patches, which convolutions let see each other. It gives the finished picture; flow matching follows straight paths from
the decoded picture with noise of SPREAD units to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.base import Model
from xvcodec.models.layers import Knots, Pointwise, TextAttention, dense
from xvcodec.models.patches import CHROMA

CORNER = 4
"""Luma pixels on a side of a position of the fine features."""
PLANES = CORNER**2 * 3 // 2
"""Values of a picture at such a position: 16 of luma, 4 of each chroma plane."""
WINDOW = 4
"""Patches on a side of a window of attention."""
SPREAD = 0.5
"""Noise of a picture not yet painted, in units."""
REACH = 6.0
"""Inputs are clamped to +-REACH units."""
EDITION = 3
"""Of how a GOP's integers are written, which weights name: what another edition wrote is refused, not misread."""
FLAT = 4
"""Positions on a side of the squares whose mean the painter does not see: it sees details, not brightness."""


@dataclass(frozen=True)
class OneDvaConfig:
    """Sizes of a onedva model."""

    family: ClassVar[str] = "onedva"
    name: str
    fine: int = 64  # channels of the painter at a quarter of the resolution
    width: int = 192  # channels of its patches
    blocks: int = 3
    heads: int = 6
    text: int = 96  # size of a caption token
    edition: int = EDITION


SMALL = OneDvaConfig("onedva")


def unit_of(level: Tensor) -> Tensor:
    """About the error of pictures of a level, in picture units, [N] -> [N, 1, 1, 1].

    A level is four times the binary logarithm of a threshold, from 2^-8 on; errors grow with its root (decoded training
    clips: 0.045 at thresholds of 0.38, 0.035 at 0.19, 0.03 at 0.1).
    """
    return 0.1 * torch.exp((level / 8.0 - 4.0) * 0.6931472)[:, None, None, None]


def pack(luma: Tensor, chroma: Tensor) -> Tensor:
    """[N, 1, H, W] and [N, 2, H/2, W/2] -> [N, PLANES, H/4, W/4], chroma scaled."""
    return torch.cat((F.pixel_unshuffle(luma, CORNER), F.pixel_unshuffle(chroma * CHROMA, CORNER // 2)), dim=1)


def unpack(packed: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `pack`."""
    luma, chroma = packed[:, : CORNER**2], packed[:, CORNER**2 :]
    return F.pixel_shuffle(luma, CORNER), F.pixel_shuffle(chroma, CORNER // 2) / CHROMA


def detail_of(packed: Tensor) -> Tensor:
    """Packed pictures without the means of squares of each plane."""
    means = F.interpolate(F.avg_pool2d(packed, FLAT), scale_factor=float(FLAT), mode="nearest")
    planes = [plane.mean(1, keepdim=True).expand_as(plane) for plane in means.split((16, 4, 4), dim=1)]
    return packed - torch.cat(planes, dim=1)


class Layer(nn.Module):
    """A block of the transformer: convolution, attention in windows, two layers; scaled by level and noise."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.tone = Knots(torch.ones(width))
        self.noise = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.near = nn.Conv2d(width, width, 3, padding=1)
        self.place = nn.Parameter(torch.zeros(1, width, WINDOW, WINDOW))
        self.query = Pointwise(width, 3 * width)
        self.out = Pointwise(width, width, zero=True)
        self.widen = Pointwise(width, 2 * width)
        self.narrow = Pointwise(2 * width, width, zero=True)
        with torch.no_grad():
            self.near.weight.mul_(0.3)

    def forward(self, x: Tensor, time: Tensor, level: Tensor) -> Tensor:
        """[N, C, h, w], time [N, 1, 1, 1], level [N] -> [N, C, h, w], h and w multiples of WINDOW."""
        tone = (self.tone(level) + self.noise * time).to(x.dtype)
        x = x + self.near(F.silu(x * tone))
        place = self.place.to(x.dtype).repeat(1, 1, x.shape[2] // WINDOW, x.shape[3] // WINDOW)
        x = x + self.out(self._attend(self.query(_even(x) * tone + place), x.shape))
        return x + self.narrow(F.silu(self.widen(_even(x) * tone)))

    def _attend(self, asked: Tensor, shape: torch.Size) -> Tensor:
        count, width, height, wide = shape
        rows, columns = height // WINDOW, wide // WINDOW
        parts = asked.permute(0, 2, 3, 1).reshape(count, rows, WINDOW, columns, WINDOW, 3, self.heads, width // self.heads)
        parts = parts.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, count * rows * columns, self.heads, WINDOW**2,
                                                             width // self.heads)
        query, key, value = parts[0], parts[1], parts[2]
        score = torch.matmul(query, key.transpose(2, 3)) * ((width // self.heads) ** -0.5)
        answer = torch.matmul(torch.softmax(score.float(), dim=-1).to(value.dtype), value)
        answer = answer.reshape(count, rows, columns, self.heads, WINDOW, WINDOW, width // self.heads)
        return answer.permute(0, 1, 4, 2, 5, 3, 6).reshape(count, height, wide, width).permute(0, 3, 1, 2)


def _even(x: Tensor) -> Tensor:
    """Features of every position with a mean square of one (RMS normalisation)."""
    return x * torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-4).to(x.dtype)


class Painter(nn.Module):
    """Decoded pictures and pictures with noise -> finished pictures. Starts as the decoded ones."""

    def __init__(self, config: OneDvaConfig) -> None:
        super().__init__()
        fine, width = config.fine, config.width
        self.stem = nn.Conv2d(2 * PLANES, fine, 3, padding=1)
        self.mood = Knots(torch.zeros(fine))
        self.noise = nn.Parameter(torch.zeros(1, fine, 1, 1))
        self.lower, self.rise = Pointwise(4 * fine, width), Pointwise(width, 4 * fine)
        self.layers = nn.ModuleList(Layer(width, config.heads) for _ in range(config.blocks))
        self.attention = TextAttention(width, config.text)
        self.mend = nn.ModuleList(nn.Conv2d(fine, fine, 3, padding=1) for _ in range(2))
        self.head = nn.Conv2d(fine, PLANES, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, rough: Tensor, state: Tensor, time: Tensor, level: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Paint.

        Args:
            rough, state: packed pictures [N, PLANES, h, w] as decoded, and with noise.
            time: share of noise in `state`, [N], 0 (none) to 1; level: see `unit_of`, [N].
            text, mask: the caption, [N, T, D] and [N, T].
        Returns:
            packed pictures.
        """
        unit, noisy = unit_of(level), time[:, None, None, None]
        detail = (detail_of(rough) / unit).clamp(-REACH, REACH)
        change = ((state - rough) / unit).clamp(-REACH, REACH)
        x = self.stem(dense(detail, change))
        x = x + (self.mood(level) + self.noise * noisy).to(x.dtype)
        patches = self.lower(F.pixel_unshuffle(F.silu(x), 2))
        for number, layer in enumerate(self.layers):
            patches = layer(patches, noisy, level)
            if not number:
                patches = self.attention(patches, tokens=text, mask=mask)
        x = x + F.pixel_shuffle(self.rise(patches), 2)
        for convolution in self.mend:
            x = x + convolution(F.relu(x))
        return rough + self.head(F.relu(x)).float() * unit


class OneDva(Model):
    """The painter; everything else is closed form."""

    def __init__(self, config: OneDvaConfig) -> None:
        super().__init__()
        self.config = config
        self.painter = Painter(config)
