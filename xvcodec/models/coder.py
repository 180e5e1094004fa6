"""A conditional coder: what remains of some pictures after a prediction becomes a latent, and comes back.

Beside the networks runs a linear path: a DCT of the residual and back (`Transform`).
The networks' last layers start at zero, so that the codec works from the first step of training and the networks learn
corrections (a plain VAE needs many times the training to get as far). They see and correct the leading channels of the
latent; the others are fine detail that costs bits only at high quality.

Layouts: pictures are packed 4:2:0 at 1/8 scale, [N, 96 f, H/8, W/8] (four luma phases and two chroma planes of each
2x2 block, unshuffled by 4; f pictures side by side), values about [-0.5, 0.5]. Latents are at 1/16, hyper-latents at 1/32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.context import Context
from xvcodec.models.integer import ScaleNet
from xvcodec.models.layers import KNOTS, Block, Knots, Pointwise, TextAttention, both_sides, dense
from xvcodec.models.refine import Refiner
from xvcodec.models.transform import PATCH, Transform

RATE_WEIGHT = 0.1155
"""Bits against squared error in units of the squared quantiser step: the slope of a uniform quantiser, ln(2) / 6."""
PICTURE = 96
"""Channels of one packed picture at 1/8 scale: (4 luma phases + 2 chroma) x 4 x 4."""


@dataclass(frozen=True)
class CoderConfig:
    """Sizes of one conditional coder."""

    pictures: int  # pictures coded together: 1 (key, anchor) or 3 (between)
    predicted: bool  # whether there is a prediction; the base of key frames is zero
    hints: int  # channels of side knowledge at 1/8 that both sides have, besides the base
    width: int  # channels of the trunks
    encoder_blocks: int
    decoder_blocks: int
    leading: int  # channels of the latent that the networks see and correct
    context: int  # channels of the latent whose means depend on decoded neighbours, 0 for none
    hyper: int  # channels of the hyper-latent at 1/32
    text: int  # size of a caption token
    memory: int  # channels handed on to the next chunk, 0 for none
    refiner: tuple[int, int]  # channels and blocks of the loop filter
    features: int  # channels at half resolution that the decoder hands to the loop filter, a picture
    coarseness: float  # quantiser step relative to the nominal one of this quality

    @property
    def channels(self) -> int:
        """Channels of all pictures at 1/8."""
        return PICTURE * self.pictures

    @property
    def latents(self) -> int:
        """Channels of the latent at 1/16."""
        return PATCH * self.pictures


def nominal_step(q: Tensor) -> Tensor:
    """Quantiser step for quality q in [0, 63] in picture units: 0.012 (finest) growing to 0.36."""
    return 0.012 * torch.exp(q * (3.4 / 63.0))


class Encoder(nn.Module):
    """Pictures, their prediction and hints -> correction of the leading channels of the latent, in picture units."""

    def __init__(self, config: CoderConfig) -> None:
        super().__init__()
        width = config.width
        self.stem = Pointwise(2 * config.channels + config.hints, width)
        self.tone = Knots(torch.ones(width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(config.encoder_blocks))
        self.down = Pointwise(4 * width, width)
        self.attention = TextAttention(width, config.text)
        self.head = Pointwise(2 * width, config.leading, zero=True)

    def forward(self, pictures: Tensor, base: Tensor, hints: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """[N, 96 f, h, w] twice, [N, hints, h, w], [N], caption -> [N, leading, h/2, w/2]."""
        x = self.stem(dense(pictures, base, hints)) * self.tone(q)
        for block in self.blocks:
            x = block(x)
        x = self.attention(self.down(F.pixel_unshuffle(x, 2)), tokens=text, mask=mask)
        return self.head(both_sides(x)).float()


class Decoder(nn.Module):
    """Latent (picture units), what the transform made of it, prediction and hints -> pictures and memory."""

    def __init__(self, config: CoderConfig) -> None:
        super().__init__()
        width = config.width
        self.leading = config.leading
        self.embed = Pointwise(config.leading, width)
        self.attention = TextAttention(width, config.text)
        self.up = Pointwise(width, 4 * width)
        self.stem = Pointwise(2 * config.channels + config.hints, width)
        self.tone = Knots(torch.ones(width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(config.decoder_blocks))
        self.head = Pointwise(2 * width, config.channels, zero=True)
        self.memory = Pointwise(width, config.memory) if config.memory else None
        self.refiner = Refiner(config.pictures, config.predicted, 2 * width, *config.refiner, config.features)

    def forward(self, latent: Tensor, rough: Tensor, base: Tensor, hints: Tensor, q: Tensor, text: Tensor,
                mask: Tensor) -> tuple[Tensor, Tensor]:
        """[N, latents, h/2, w/2], [N, 96 f, h, w] twice, [N, hints, h, w] -> [N, 96 f, h, w], memory [N, M, h, w]."""
        x = self.attention(self.embed(latent[:, : self.leading]), tokens=text, mask=mask)
        x = F.pixel_shuffle(self.up(x), 2)
        x = (x + self.stem(dense(rough, base, hints))) * self.tone(q)
        for block in self.blocks:
            x = block(x)
        memory = self.memory(x).float() if self.memory is not None else x[:, :0]
        features = both_sides(x)
        return self.refiner(rough + self.head(features).float(), base, features, nominal_step(q)), memory


class Prior(nn.Module):
    """Hyper-latent: made from the latent, gives back a table index (integers only) and a mean (float) per symbol."""

    def __init__(self, config: CoderConfig, start: Tensor) -> None:
        super().__init__()
        inner = config.width // 12 * 4
        self.analyse = nn.Sequential(Pointwise(config.latents, inner), nn.SiLU(), nn.PixelUnshuffle(2),
                                     Pointwise(4 * inner, inner), nn.SiLU(), nn.Conv2d(inner, inner, 3, padding=1),
                                     nn.SiLU(), Pointwise(inner, config.hyper))
        self.scales = ScaleNet(config.hyper, config.latents, start)
        self.lift = Pointwise(config.hyper, 4 * inner)
        self.hint = Pointwise(config.channels + config.hints, inner // 4)
        self.tone = Knots(torch.ones(inner))
        self.block = Block(inner)
        self.mean = Pointwise(2 * inner, config.leading, zero=True)

    def hyper(self, latent: Tensor) -> Tensor:
        """Latent in step units [N, L, h, w] -> hyper-latent before rounding [N, hyper, h/2, w/2]."""
        squeezed = torch.sign(latent) * torch.log1p(latent.abs())
        return self.analyse(squeezed).float()

    def means(self, z: Tensor, base: Tensor, hints: Tensor, q: Tensor) -> Tensor:
        """Expected leading channels in step units [N, leading, h, w] from decoded things; may run in float anywhere."""
        x = F.pixel_shuffle(self.lift(z), 2)
        x = x + F.pixel_unshuffle(self.hint(dense(base, hints)), 2)
        return self.mean(both_sides(self.block(x * self.tone(q)))).float()


class ConditionalCoder(nn.Module):
    """Encoder, decoder and prior of one kind of picture, with learned quantiser steps for every quality."""

    def __init__(self, config: CoderConfig) -> None:
        super().__init__()
        self.config = config
        knots = torch.arange(KNOTS, dtype=torch.float32) * 8.0
        steps = (nominal_step(knots) * config.coarseness).log().unsqueeze(1).repeat(1, config.latents)
        self.log_step = Knots(steps)
        self.transform = Transform(config.pictures)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.prior = Prior(config, torch.full((KNOTS, config.latents), 20.0))
        self.context = Context(config.context) if config.context else None

    def analyse(self, pictures: Tensor, base: Tensor, hints: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Pictures, prediction and hints -> latent before rounding, in quantiser steps, [N, latents, h/2, w/2]."""
        latent = _correct(self.transform(pictures - base), self.encoder(pictures, base, hints, q, text, mask))
        return latent / self.step(q)

    def means(self, z: Tensor, base: Tensor, hints: Tensor, q: Tensor) -> Tensor:
        """Expected from the hyper-latent, in quantiser steps, zero behind the leading channels: [N, latents, h/2, w/2]."""
        leading = self.prior.means(z, base, hints, q)
        return F.pad(leading, (0, 0, 0, 0, 0, self.config.latents - self.config.leading))

    def expected(self, means: Tensor, q: Tensor, decide: Callable[[Tensor], Tensor]) -> Tensor:
        """`means` with what decoded neighbours add (see `Context.forward`), [N, latents, h/2, w/2]."""
        if self.context is None:
            return means
        channels = self.context.channels
        return _correct(means, self.context(means[:, :channels], self.step(q)[:, :channels], decide))

    def synthesise(self, latent: Tensor, base: Tensor, hints: Tensor, q: Tensor, text: Tensor,
                   mask: Tensor) -> tuple[Tensor, Tensor]:
        """Latent in quantiser steps -> pictures [N, 96 f, h, w] and memory [N, M, h, w]."""
        latent = latent * self.step(q)
        return self.decoder(latent, base + self.transform.inverse(latent), base, hints, q, text, mask)

    def step(self, q: Tensor) -> Tensor:
        """Quantiser step of each latent channel, [N, latents, 1, 1] in picture units."""
        return self.log_step(q).exp()


def _correct(latent: Tensor, leading: Tensor) -> Tensor:
    """`leading` added to the first channels."""
    return latent + F.pad(leading, (0, 0, 0, 0, 0, latent.shape[1] - leading.shape[1]))
