"""Coders: what remains of pictures after a prediction becomes a latent, and comes back.

The way there and back is a DCT (`Transform`) with quantiser steps learned for every quality, and behind it a loop filter
(`LoopFilter`, of key frames `KeyFilter` or `Refiner`). The coder of key frames, without prediction, has networks that see
the caption. All networks' last layers start at zero, so that the codec works from the first step of training and the
networks learn corrections (a plain VAE needs many times the training to get as far).

Layouts: pictures are packed 4:2:0 at 1/8 scale, [N, 96 f, H/8, W/8] (four luma phases and two chroma planes of each
2x2 block, unshuffled by 4; f pictures side by side), values about [-0.5, 0.5]. Latents are [N, L, H/patch, W/patch].
Qualities q are crf in [0, 63] of each area of AREA x AREA luma pixels, [N, 1, H/32, W/32].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.context import Context
from xvcodec.models.fine_filters import FineFilter, KeyFilter
from xvcodec.models.layers import KNOTS, Block, Knots, Pointwise, TextAttention, both_sides, dense
from xvcodec.models.loop_filter import LoopFilter
from xvcodec.models.refine import Refiner
from xvcodec.models.transform import Transform, frequencies, values_of

RATE_WEIGHT = 0.1155
"""Bits against squared error in units of the squared quantiser step: the slope of a uniform quantiser, ln(2) / 6."""
AREA = 32
"""Side of the areas of luma pixels that have a quality of their own."""
PICTURE = 96
"""Channels of one packed picture at 1/8 scale: (4 luma phases + 2 chroma) x 4 x 4."""


def nominal_step(q: Tensor) -> Tensor:
    """Quantiser step for quality q in [0, 63] in picture units: 0.012 (finest) growing to 0.36."""
    return 0.012 * torch.exp(q * (3.4 / 63.0))


OCTAVE = 63.0 / 3.4 * math.log(2.0)
"""crf that double the step."""


def quality_of(step: float) -> float:
    """The inverse of `nominal_step`: quality of a step in picture units."""
    return OCTAVE * math.log2(step / 0.012)


FINER_CHROMA = 0.85
"""Steps of chroma in predicted pictures against those of luma. In files of six clips this and steps that rise with
frequency: -0.6 % bits at equal PSNR-RGB, -1.4 % at equal MS-SSIM."""


def relative_steps(patch: int, pictures: int, rise: float) -> Tensor:
    """Quantiser steps against the nominal one, [latents]: e^rise coarser at half of the frequencies, e^(2 rise) at all."""
    plane, down, right = frequencies(patch).repeat_interleave(pictures, dim=0).T
    frequency = (down + right) * torch.where(plane > 0, 2, 1)
    return torch.where(plane > 0, FINER_CHROMA, 1.0) * torch.exp(rise * (2.0 * frequency / patch).clamp(max=2.0))


class Coder(nn.Module):
    """Transform, quantiser steps and loop filter of one kind of picture.

    Args of the constructor:
        pictures: coded together. patch: side of the transform's patches, luma pixels.
        coarseness: quantiser steps relative to the nominal one of a quality, to begin with; a number, or [latents].
        refiner: of decoded pictures; None leaves them as they are.
    """

    def __init__(self, pictures: int, patch: int, coarseness: float | Tensor,
                 refiner: Refiner | LoopFilter | FineFilter | None) -> None:
        super().__init__()
        self.pictures, self.patch = pictures, patch
        self.latents = values_of(patch) * pictures
        knots = torch.arange(KNOTS, dtype=torch.float32) * 8.0
        relative = torch.as_tensor(coarseness).to(knots.device).expand(self.latents)
        self.log_step = Knots((nominal_step(knots).unsqueeze(1) * relative).log())
        self.transform = Transform(pictures, patch)
        self.refiner = refiner

    def analyse(self, pictures: Tensor, base: Tensor, q: Tensor) -> Tensor:
        """Pictures and their prediction -> latent before rounding, in quantiser steps."""
        return self.transform(pictures - base) / self.step(q)

    def synthesise(self, latent: Tensor, base: Tensor, q: Tensor, *beside: Tensor) -> Tensor:
        """Latent in quantiser steps -> pictures [N, 96 f, h, w]; beside: what a filter sees besides."""
        rough = base + self.transform.inverse(latent * self.step(q))
        return rough if self.refiner is None else self.refiner(rough, base, *beside, nominal_step(q))

    def step(self, q: Tensor) -> Tensor:
        """Quantiser step of each latent value, [N, latents, h, w] in picture units."""
        return F.interpolate(self.log_step(q).exp(), scale_factor=float(AREA // self.patch))


@dataclass(frozen=True)
class KeyConfig:
    """Sizes of the coder of key frames."""

    width: int  # channels of the trunks
    encoder_blocks: int
    decoder_blocks: int
    leading: int  # channels of the latent that the networks see and correct; the others are fine detail
    context: int  # channels of the latent whose means depend on decoded neighbours
    text: int  # size of a caption token
    refiner: tuple[int, int]  # channels and blocks of the loop filter
    features: int  # channels at half resolution that the decoder hands to a `Refiner`
    dense: bool = False  # whether the loop filter is a `KeyFilter`, else a `Refiner`


KEY_PATCH, KEY_COARSENESS = 16, 0.85


class KeyCoder(Coder):
    """The coder of key frames: networks correct the transform both ways, and neighbours tell what to expect."""

    def __init__(self, config: KeyConfig) -> None:
        super().__init__(1, KEY_PATCH, KEY_COARSENESS, KeyFilter(*config.refiner) if config.dense else
                         Refiner(1, False, 2 * config.width, *config.refiner, config.features))
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.context = Context(config.context)

    def latent(self, pictures: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Pictures -> latent before rounding, in quantiser steps, [N, latents, H/16, W/16]."""
        return _correct(self.transform(pictures), self.encoder(pictures, q, text, mask)) / self.step(q)

    def means(self, q: Tensor, like: Tensor, decide: Callable[[Tensor], Tensor]) -> Tensor:
        """What decoded neighbours tell about each symbol, zero behind the context's channels, in the shape of `like`."""
        return _correct(torch.zeros_like(like), self.context(like, self.step(q)[:, : self.context.channels], decide))

    def pictures_of(self, latent: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Latent in quantiser steps -> pictures [N, 96, H/8, W/8]."""
        latent = latent * self.step(q)
        rough = self.transform.inverse(latent)
        change, features = self.decoder(latent, rough, q, text, mask)
        assert self.refiner is not None
        mended: Tensor = (self.refiner(rough + change, nominal_step(q)) if isinstance(self.refiner, KeyFilter) else
                          self.refiner(rough + change, torch.zeros_like(rough), nominal_step(q), features))
        return mended


class Encoder(nn.Module):
    """Pictures -> correction of the leading channels of the latent, in picture units."""

    def __init__(self, config: KeyConfig) -> None:
        super().__init__()
        width = config.width
        self.stem = Pointwise(PICTURE, width)
        self.tone = Knots(torch.ones(width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(config.encoder_blocks))
        self.down = Pointwise(4 * width, width)
        self.attention = TextAttention(width, config.text)
        self.head = Pointwise(2 * width, config.leading, zero=True)

    def forward(self, pictures: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """[N, 96, h, w], qualities, caption -> [N, leading, h/2, w/2]."""
        x = self.stem(dense(pictures)) * self.tone(q.mean((1, 2, 3)))
        for block in self.blocks:
            x = block(x)
        x = self.attention(self.down(F.pixel_unshuffle(x, 2)), tokens=text, mask=mask)
        return self.head(both_sides(x)).float()


class Decoder(nn.Module):
    """Latent (picture units) and what the transform made of it -> a correction of the pictures, and features."""

    def __init__(self, config: KeyConfig) -> None:
        super().__init__()
        width = config.width
        self.leading = config.leading
        self.embed = Pointwise(config.leading, width)
        self.attention = TextAttention(width, config.text)
        self.up = Pointwise(width, 4 * width)
        self.stem = Pointwise(PICTURE, width)
        self.tone = Knots(torch.ones(width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(config.decoder_blocks))
        self.head = Pointwise(2 * width, PICTURE, zero=True)

    def forward(self, latent: Tensor, rough: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """[N, latents, h/2, w/2], [N, 96, h, w], qualities, caption -> [N, 96, h, w] and features [N, 2 width, h, w]."""
        x = self.attention(self.embed(latent[:, : self.leading]), tokens=text, mask=mask)
        x = F.pixel_shuffle(self.up(x), 2)
        x = (x + self.stem(dense(rough))) * self.tone(q.mean((1, 2, 3)))
        for block in self.blocks:
            x = block(x)
        features = both_sides(x)
        return self.head(features).float(), features


def _correct(latent: Tensor, leading: Tensor) -> Tensor:
    """`leading` added to the first channels."""
    return latent + F.pad(leading, (0, 0, 0, 0, 0, latent.shape[1] - leading.shape[1]))
