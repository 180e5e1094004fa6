"""Stages of a latent model: the spatial ones at half resolution, and the linear path beside the networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.coder import PICTURE
from xvcodec.models.layers import Block, Knots, Pointwise, both_sides, dense
from xvcodec.models.refine import FLAT, PACKED, PLANES, REACH

LATENTS = 16
"""Channels of a latent frame."""
FLOOR = 0.05
"""What the pictures are off by without any quantisation, about: the networks at half resolution count in such units."""


def step_of(q: Tensor) -> Tensor:
    """Quantiser step for quality q in [0, 63], in picture units: 0.02 (finest) growing to 1.33."""
    return 0.02 * torch.exp(q * (4.2 / 63.0))


class Eye(nn.Module):
    """The spatial stage of the encoder: frames -> features at 1/8. `passes` parts of the frames go through it in turn."""

    def __init__(self, frames: int, width: int, wide: int, passes: int = 1) -> None:
        super().__init__()
        self.passes = passes
        self.stem = nn.Conv2d(frames // passes * PLANES, width // passes, 3, padding=1)
        self.block = Block(width // passes)
        self.down = Pointwise(width // passes * passes * PACKED**2 + frames * PICTURE, wide)

    def forward(self, packed: Tensor) -> Tensor:
        """[N, 96 f, h, w] -> [N, wide, h, w]."""
        x = self.block(self.stem(dense(apart(half_size(packed), self.passes))))
        return self.down(dense(joined(F.pixel_unshuffle(x, PACKED), self.passes), packed))


class Brush(nn.Module):
    """The spatial stage of the decoder: what the linear path made, and features -> frames. Starts as no change.

    `passes` parts of the frames, each with its part of the features, go through it in turn.
    """

    def __init__(self, frames: int, wide: int, width: int, blocks: int, features: int, passes: int = 1) -> None:
        super().__init__()
        self.passes = passes
        frames, width = frames // passes, width // passes
        self.lift = Pointwise(2 * wide, features * PACKED**2)
        self.stem = nn.Conv2d(frames * PLANES + features // passes, width, 3, padding=1)
        self.tone = Knots(torch.ones(width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.head = nn.Conv2d(2 * width, frames * PLANES, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, rough: Tensor, features: Tensor, q: Tensor) -> Tensor:
        """[N, 96 f, h, w], [N, 2 wide, h, w], [N] -> [N, 96 f, h, w]."""
        lifted = apart(F.pixel_shuffle(self.lift(features), PACKED), self.passes)
        rough, q = apart(rough, self.passes), q if self.passes == 1 else q.repeat_interleave(self.passes)
        unit = (FLOOR + step_of(q))[:, None, None, None]
        picture = half_size(rough)
        means = F.interpolate(F.avg_pool2d(picture, FLAT, ceil_mode=True, count_include_pad=False),
                              size=picture.shape[2:], mode="bilinear")
        detail = ((picture - means) * (0.5 / unit)).clamp(-REACH, REACH)
        x = self.stem(dense(detail, lifted)) * self.tone(q)
        for block in self.blocks:
            x = block(x)
        return joined(rough + full_pack(self.head(both_sides(x)).float() * unit), self.passes)


def apart(x: Tensor, passes: int) -> Tensor:
    """Channels of parts that follow each other become samples: [N, p C, H, W] -> [N p, C, H, W]."""
    return x if passes == 1 else x.reshape(-1, x.shape[1] // passes, *x.shape[2:])


def joined(x: Tensor, passes: int) -> Tensor:
    """The inverse of `apart`."""
    return x if passes == 1 else x.reshape(-1, x.shape[1] * passes, *x.shape[2:])


def half_size(packed: Tensor) -> Tensor:
    """[N, 96 f, h, w] -> [N, 6 f, 4 h, 4 w]: four luma phases and two chroma planes of each frame at half resolution."""
    return F.pixel_shuffle(packed, PACKED)


def full_pack(planes: Tensor) -> Tensor:
    """The inverse of `half_size`."""
    return F.pixel_unshuffle(planes, PACKED)


class Linear(nn.Module):
    """The linear path: a block's values to a latent, and 3 x 3 latents back to the block."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(LATENTS, PICTURE * frames) * 0.05)
        self.up = nn.Parameter(torch.randn(PICTURE * frames, LATENTS, 3, 3) * 0.01)

    def forward(self, packed: Tensor) -> Tensor:
        """[N, 96 f, h, w] -> [N, 16, h, w], float32 whatever surrounds it."""
        with torch.autocast(packed.device.type, enabled=False):
            return F.conv2d(packed.float(), self.down[:, :, None, None])

    def inverse(self, latent: Tensor) -> Tensor:
        """[N, 16, h, w] -> [N, 96 f, h, w]."""
        with torch.autocast(latent.device.type, enabled=False):
            return F.conv2d(F.pad(latent.float(), (1, 1, 1, 1), mode="replicate"), self.up)
