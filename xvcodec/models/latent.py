"""The `latent` family: video as small open-loop latents, 16 numbers for 8 x 8 pixels of four frames.

The Cross-modal Video VAE's own setting, in small. A GOP is one picture and then chunks of four; each becomes one latent
frame [16, H/8, W/8], on its own: no chunk sees another, so that any latent frame can be decoded alone. Two stages:
  * the *spatial* stage sees time: every frame goes through the same networks, at half resolution and at 1/8, which mix
    each frame with its neighbours in the chunk;
  * the *temporal* stage, separate and light, turns the features of four frames into one latent frame, and back.
The first frame of a GOP, which may be a photograph, goes through the spatial stage only (the paper's image path), so
that its latent has a meaning of its own: a picture, not four.

Beside the networks runs a linear path, fitted before training (`xvcodec.training.latent_start`): principal components
of 8 x 8 x 4 blocks, and the best linear guess of a block from 3 x 3 latents. Networks start as no change to it.
Text is read by cross-attention at 1/8, by encoder and decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.base import Model
from xvcodec.models.coder import PICTURE
from xvcodec.models.integer import ScaleNet
from xvcodec.models.layers import KNOTS, Block, Knots, Pointwise, TextAttention, both_sides, dense
from xvcodec.models.refine import PACKED, PLANES, Refiner

CHUNK = 4
LATENTS = 16
"""Channels of a latent frame."""
FRAMES = {"image": 1, "clip": CHUNK}
"""Pictures behind one latent frame, by kind."""
FLOOR = 0.05
"""What the pictures are off by without any quantisation, about: the loop filter's inputs are in such units."""


@dataclass(frozen=True)
class LatentConfig:
    """Sizes of a latent model."""

    family: ClassVar[str] = "latent"
    name: str
    width: int = 128  # channels of a frame at 1/8
    wide: int = 208  # channels of the temporal stage at 1/8
    eye: tuple[int, int] = (16, 1)  # channels and blocks of the encoder at half resolution
    encoder_blocks: int = 2  # blocks of the spatial encoder at 1/8
    temporal_blocks: tuple[int, int] = (2, 2)  # blocks of the temporal stage, encoder and decoder
    decoder_blocks: int = 2  # blocks of the spatial decoder at 1/8
    refiner: tuple[int, int] = (32, 3)  # channels and blocks of the filter at half resolution
    features: int = 8  # channels at half resolution that the decoder hands to the filter
    hyper: int = 12  # channels of the hyper-latent at 1/16
    text: int = 96  # size of a caption token


SMALL = LatentConfig("crossmodal-latent")


def step_of(q: Tensor) -> Tensor:
    """Quantiser step for quality q in [0, 63], in picture units: 0.02 (finest) growing to 1.33."""
    return 0.02 * torch.exp(q * (4.2 / 63.0))


class Mix(nn.Module):
    """Each channel of a frame mixed with the same channel of the frames before and after it; starts as no change."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = nn.Parameter(torch.zeros(width, 1, 1))
        self.after = nn.Parameter(torch.zeros(width, 1, 1))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """[N * frames, C, H, W], a sample's frames in turn; the first and last have themselves as neighbours."""
        if frames == 1:  # the weights take part, so that both paths have the same
            return x + (self.before + self.after) * 0.0
        each = x.unflatten(0, (-1, frames))
        before = torch.cat((each[:, :1], each[:, :-1]), dim=1).flatten(0, 1)
        after = torch.cat((each[:, 1:], each[:, -1:]), dim=1).flatten(0, 1)
        return x + (before - x) * self.before.to(x.dtype) + (after - x) * self.after.to(x.dtype)


class MixedBlock(nn.Module):
    """A residual block over space behind a mix over time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = Mix(width)
        self.block = Block(width)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """[N * frames, C, H, W] -> the same shape."""
        out: Tensor = self.block(self.mix(x, frames))
        return out


class SpatialEncoder(nn.Module):
    """Frames -> features at 1/8, each frame knowing its neighbours in the chunk."""

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        eye, blocks = config.eye
        self.stem = nn.Conv2d(PLANES, eye, 3, padding=1)
        self.eye = nn.ModuleList(Block(eye) for _ in range(blocks))
        self.down = Pointwise(eye * PACKED**2 + PICTURE, config.width)
        self.blocks = nn.ModuleList(MixedBlock(config.width) for _ in range(config.encoder_blocks))

    def forward(self, packed: Tensor, frames: int) -> Tensor:
        """[N * frames, 96, h, w] -> [N * frames, width, h, w]."""
        x = self.stem(dense(F.pixel_shuffle(packed, PACKED)))
        for block in self.eye:
            x = block(x)
        x = self.down(dense(F.pixel_unshuffle(x, PACKED), packed))
        for block in self.blocks:
            x = block(x, frames)
        return x


class SpatialDecoder(nn.Module):
    """Features at 1/8 and what the linear path made -> frames."""

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        width = config.width
        self.stem = Pointwise(PICTURE, width)
        self.tone = Knots(torch.ones(width))
        self.blocks = nn.ModuleList(MixedBlock(width) for _ in range(config.decoder_blocks))
        self.head = Pointwise(2 * width, PICTURE, zero=True)
        self.refiner = Refiner(1, False, 2 * width, *config.refiner, config.features)

    def forward(self, features: Tensor, rough: Tensor, q: Tensor, frames: int) -> Tensor:
        """[N * frames, width, h, w], [N * frames, 96, h, w], [N] -> [N * frames, 96, h, w]."""
        each = q.repeat_interleave(frames)
        x = (features + self.stem(dense(rough))) * self.tone(each)
        for block in self.blocks:
            x = block(x, frames)
        x = both_sides(x)
        return self.refiner(rough + self.head(x).float(), rough, x, FLOOR + step_of(each))


class Linear(nn.Module):
    """The linear path: a block's values to a latent, and 3 x 3 latents back to the block."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.down = nn.Parameter(torch.randn(LATENTS, PICTURE * frames) * 0.05)
        self.up = nn.Parameter(torch.randn(PICTURE * frames, LATENTS, 3, 3) * 0.01)

    def forward(self, packed: Tensor) -> Tensor:
        """[N * frames, 96, h, w] -> [N, 16, h, w], float32 whatever surrounds it."""
        with torch.autocast(packed.device.type, enabled=False):
            together = packed.float().reshape(-1, PICTURE * self.frames, *packed.shape[2:])
            return F.conv2d(together, self.down[:, :, None, None])

    def inverse(self, latent: Tensor) -> Tensor:
        """[N, 16, h, w] -> [N * frames, 96, h, w]."""
        with torch.autocast(latent.device.type, enabled=False):
            edged = F.pad(latent.float(), (1, 1, 1, 1), mode="replicate")
            return F.conv2d(edged, self.up).reshape(-1, PICTURE, *latent.shape[2:])


class Prior(nn.Module):
    """Hyper-latent at 1/16: gives back a table index (integers only) and a mean (float) for every symbol.

    The mean also sees the latent frame before, which is decoded already: what stands still costs little.
    """

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        inner = 48
        self.analyse = nn.Sequential(Pointwise(2 * LATENTS, inner), nn.SiLU(), nn.PixelUnshuffle(2),
                                     Pointwise(4 * inner, inner), nn.SiLU(), nn.Conv2d(inner, inner, 3, padding=1),
                                     nn.SiLU(), Pointwise(inner, config.hyper))
        self.scales = ScaleNet(config.hyper, LATENTS, torch.full((KNOTS, LATENTS), 20.0))
        self.lift = Pointwise(config.hyper, 4 * inner)
        self.hint = Pointwise(LATENTS, inner)
        self.tone = Knots(torch.ones(inner))
        self.block = Block(inner)
        self.mean = Pointwise(2 * inner, LATENTS, zero=True)
        self.past = Pointwise(LATENTS, LATENTS, zero=True, bias=False)

    def hyper(self, latent: Tensor, expected: Tensor) -> Tensor:
        """Latent and what the past says of it, in step units [N, 16, h, w] -> hyper-latent before rounding."""
        both = torch.cat((latent, latent - expected), dim=1)
        return self.analyse(torch.sign(both) * torch.log1p(both.abs())).float()

    def means(self, z: Tensor, before: Tensor, step: Tensor, q: Tensor) -> Tensor:
        """Expected latent in step units [N, 16, h, w] from decoded things; may run in float anywhere."""
        x = F.pixel_shuffle(self.lift(z), 2) + self.hint(before)
        return self.mean(both_sides(self.block(x * self.tone(q)))).float() + self.expected(before, step)

    def expected(self, before: Tensor, step: Tensor) -> Tensor:
        """What the latent frame before says alone, in step units."""
        return self.past(before).float() / step


class LatentCoder(nn.Module):
    """What belongs to one kind of latent frame: linear path, way in and out of the stages, prior, quantiser steps."""

    def __init__(self, config: LatentConfig, frames: int) -> None:
        super().__init__()
        inner = config.width if frames == 1 else config.wide
        blocks = (0, 0) if frames == 1 else config.temporal_blocks
        self.frames = frames
        self.linear = Linear(frames)
        self.gather = Pointwise(frames * config.width, inner)
        self.into = nn.ModuleList(Block(inner) for _ in range(blocks[0]))
        self.ask = TextAttention(inner, config.text)
        self.head = Pointwise(2 * inner, LATENTS, zero=True)
        self.embed = nn.Conv2d(LATENTS, inner, 3, padding=1)
        self.answer = TextAttention(inner, config.text)
        self.out = nn.ModuleList(Block(inner) for _ in range(blocks[1]))
        self.spread = Pointwise(inner, frames * config.width)
        self.prior = Prior(config)
        self.log_step = Knots(torch.zeros(KNOTS, LATENTS))

    def step(self, q: Tensor) -> Tensor:
        """Quantiser step of each channel in units of the latent, [N, 16, 1, 1]."""
        return self.log_step(q).exp()

    def correct(self, features: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Features of the frames [N * frames, width, h, w] -> correction of the latent [N, 16, h, w]."""
        x = self.gather(features.reshape(-1, self.frames * features.shape[1], *features.shape[2:]))
        for block in self.into:
            x = block(x)
        return self.head(both_sides(self.ask(x, tokens=text, mask=mask))).float()

    def features(self, latent: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Latent [N, 16, h, w] -> features of the frames [N * frames, width, h, w]."""
        x = self.answer(self.embed(dense(latent)), tokens=text, mask=mask)
        for block in self.out:
            x = block(x)
        x = self.spread(x)
        return x.reshape(-1, x.shape[1] // self.frames, *x.shape[2:])


class LatentModel(Model):
    """Both kinds of latent frame around one spatial stage."""

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = SpatialEncoder(config)
        self.decoder = SpatialDecoder(config)
        self.image = LatentCoder(config, 1)
        self.clip = LatentCoder(config, CHUNK)

    def coder(self, kind: str) -> LatentCoder:
        """`image` or `clip`."""
        coder: LatentCoder = getattr(self, kind)
        return coder

    def analyse(self, kind: str, packed: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Frames [N * frames, 96, h, w] -> latent frames [N, 16, h, w], unquantised, each channel about unit variance."""
        coder = self.coder(kind)
        return coder.linear(packed) + coder.correct(self.encoder(packed, coder.frames), text, mask)

    def synthesise(self, kind: str, latent: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Latent frames [N, 16, h, w] -> frames [N * frames, 96, h, w]; q is 0 for latents without quantisation."""
        coder = self.coder(kind)
        return self.decoder(coder.features(latent, text, mask), coder.linear.inverse(latent), q, coder.frames)
