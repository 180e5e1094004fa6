"""The `latent` family: video as small open-loop latents, 16 numbers for 8 x 8 pixels of four frames.

The Cross-modal Video VAE's own setting, in small. A GOP is one picture and then chunks of four; each becomes one latent
frame [16, H/8, W/8], on its own: no chunk sees another, so that any latent frame can be decoded alone. Two stages:
  * the *spatial* stage sees time: convolutions at half resolution over the four frames side by side;
  * the *temporal* stage, separate and light, turns features of the chunk at 1/8 into one latent frame, and back.
The first frame of a GOP, which may be a photograph, goes through networks of its own (the paper's image path), so that
its latent has a meaning of its own: a picture, not four.

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
from xvcodec.models.integer import ScaleNet
from xvcodec.models.latent_stages import LATENTS, Brush, Eye, Linear
from xvcodec.models.layers import KNOTS, Block, Knots, Pointwise, TextAttention, both_sides, dense

CHUNK = 4
FRAMES = {"image": 1, "clip": CHUNK}
"""Pictures behind one latent frame, by kind."""
GAIN = 0.25
"""Standard deviations of the latent in one unit of the encoder's networks."""


@dataclass(frozen=True)
class LatentConfig:
    """Sizes of a latent model; pairs are for images and for clips."""

    family: ClassVar[str] = "latent"
    name: str
    eye: tuple[int, int] = (16, 32)  # channels of the encoder at half resolution, of all frames together
    wide: tuple[int, int] = (112, 224)  # channels of the temporal stage at 1/8
    blocks: tuple[int, int] = (1, 2)  # residual blocks of the temporal stage, in the encoder and again in the decoder
    brush: tuple[int, int] = (32, 64)  # channels of the decoder at half resolution, of all frames together
    strokes: tuple[int, int] = (3, 3)  # residual blocks there
    features: tuple[int, int] = (8, 16)  # channels at half resolution that come from the temporal stage
    hyper: int = 12  # channels of the hyper-latent at 1/16
    text: int = 96  # size of a caption token
    together: bool = True  # the spatial stages see the frames of a chunk side by side; False: each alone, same weights
    temporal: bool = True  # clips have a temporal stage; False: features at half resolution go straight to the latent


SMALL = LatentConfig("crossmodal-latent")


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
    """Everything of one kind of latent frame: pictures to latent and back, prior, quantiser steps."""

    def __init__(self, config: LatentConfig, frames: int) -> None:
        super().__init__()
        pairs = (config.eye, config.wide, config.blocks, config.brush, config.strokes, config.features)
        eye, wide, blocks, brush, strokes, features = (pair[frames > 1] for pair in pairs)
        passes = 1 if config.together else frames
        blocks = blocks if config.temporal or frames == 1 else 0
        self.frames = frames
        self.linear = Linear(frames)
        self.eye = Eye(frames, eye, wide, passes)
        self.into = nn.ModuleList(Block(wide) for _ in range(blocks))
        self.ask = TextAttention(wide, config.text)
        self.head = Pointwise(2 * wide, LATENTS, zero=True)
        self.embed = nn.Conv2d(LATENTS, wide, 3, padding=1)
        self.answer = TextAttention(wide, config.text)
        self.out = nn.ModuleList(Block(wide) for _ in range(blocks))
        self.brush = Brush(frames, wide, brush, strokes, features, passes)
        self.prior = Prior(config)
        self.log_step = Knots(torch.zeros(KNOTS, LATENTS))

    def step(self, q: Tensor) -> Tensor:
        """Quantiser step of each channel in units of the latent, [N, 16, 1, 1]."""
        return self.log_step(q).exp()

    def analyse(self, packed: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Frames [N, 96 f, h, w] -> latent frames [N, 16, h, w], unquantised, each channel about unit variance."""
        x = self.eye(packed)
        for block in self.into:
            x = block(x)
        change = self.head(both_sides(self.ask(x, tokens=text, mask=mask))).float()
        return self.linear(packed) + change * GAIN

    def synthesise(self, latent: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Latent frames [N, 16, h, w] -> frames [N, 96 f, h, w]; q is 0 for latents without quantisation."""
        x = self.answer(self.embed(dense(latent)), tokens=text, mask=mask)
        for block in self.out:
            x = block(x)
        return self.brush(self.linear.inverse(latent), both_sides(x), q)


class LatentModel(Model):
    """One coder for each kind of latent frame."""

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        self.config = config
        self.image = LatentCoder(config, 1)
        self.clip = LatentCoder(config, CHUNK)

    def coder(self, kind: str) -> LatentCoder:
        """`image` or `clip`."""
        coder: LatentCoder = getattr(self, kind)
        return coder
