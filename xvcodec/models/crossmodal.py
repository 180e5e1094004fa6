"""The `crossmodal` family: a spatial coder that sees text, a light temporal coder, for images and video alike.

A GOP is one key frame and then chunks of up to four frames. Of each chunk
  1. the last frame, the *anchor*, is coded on its own, predicted from the anchor before it by a motion field (closed loop,
     so the encoder sees what the decoder will know);
  2. the frames *between* two anchors are coded together by the temporal coder, predicted from both sides along
     nearly straight paths (Cross-modal Video VAE's separate, lightweight motion compression).
The key frame goes through networks that see the caption, without prediction, so that a photograph is a one-frame GOP.
What remains of predicted pictures has none: trained for hours on CPUs, such networks brought less than 0.1 dB there
(docs/experiments.md), and cost most of the time of decoding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from xvcodec.models.base import Model
from xvcodec.models.coder import PICTURE, Coder, KeyCoder, KeyConfig, relative_steps
from xvcodec.models.fine_filters import AnchorFilter, BetweenFilter
from xvcodec.models.loop_filter import LoopFilter
from xvcodec.models.warp import BLURS, SHARPNESS, blurred, warp_yuv

CHUNK = 4
BETWEEN = CHUNK - 1
LEAST = 4
"""Table of the lowest frequency where nothing is expected: a nonzero symbol costs eight bits, a zero a hundredth."""
RISE = 0.15
"""How much coarser higher frequencies of predicted pictures are, see `relative_steps`."""
EDITION = 3
"""Of how a GOP's integers are written, which weights name: what another edition wrote is refused, not misread."""
CHROMA = 1.8
"""Chroma planes are scaled by this, so that equal errors in packed values are about equal errors in RGB (BT.709)."""


@dataclass(frozen=True)
class CrossmodalConfig:
    """Sizes of a crossmodal model."""

    family: ClassVar[str] = "crossmodal"
    name: str
    width: int = 192  # channels of the trunks of key frames
    key_blocks: tuple[int, int] = (2, 4)  # residual blocks in encoder and decoder of key frames
    leading: int = 288  # latent channels of key frames that networks correct
    context: int = 48  # latent channels of key frames that are predicted from neighbours
    text: int = 96  # size of a caption token
    refiners: tuple[int, int, int, int, int, int] = (48, 3, 64, 1, 64, 1)  # channels, blocks: key, anchor, between; 0: none
    features: int = 8  # channels that the decoder of key frames hands to a `Refiner`
    lifetime: float = 5.0  # crf that an area is coded finer for each doubling of what depends on it
    unreferenced: float = 8.0  # crf of an area of a key frame or anchor on which nothing depends, against the GOP's
    between: float = 8.0  # crf of frames between, against the GOP's
    least: int = LEAST  # narrowest table of the lowest frequency, see `xvcodec.codec.coefficients`
    sharpness: float = 0.0  # of sampling along vectors, see `xvcodec.models.warp`
    dense: bool = False  # whether the loop filter of key frames is a `KeyFilter`, else a `Refiner`
    fine: bool = False  # whether the loop filter of anchors is an `AnchorFilter`, else a `LoopFilter`
    paired: bool = False  # whether frames between have a `BetweenFilter`, else a `LoopFilter`
    cuts: bool = False  # whether patches of key frames may be cut into pieces, see `xvcodec.models.cuts`
    edition: int = EDITION


FAST = CrossmodalConfig("crossmodal-fast", width=80, key_blocks=(1, 1), leading=160, refiners=(64, 6, 48, 4, 64, 1),
                        features=4, sharpness=SHARPNESS, dense=True, fine=True, cuts=True)
MAIN = replace(FAST, name="crossmodal", refiners=(*FAST.refiners[:4], 48, 4), paired=True)
PATCH = 8
"""Side of the transform's patches in predicted pictures: 10 to 25 % fewer bits than with those of key frames."""


@dataclass
class Picture:
    """Decoded pictures: luma [N, 1, H, W], chroma [N, 2, H/2, W/2] in [-0.5, 0.5]."""

    luma: Tensor
    chroma: Tensor

    def detach(self) -> Picture:
        """The same without history."""
        return Picture(self.luma.detach(), self.chroma.detach())


def pack(luma: Tensor, chroma: Tensor, together: int = 1) -> Tensor:
    """Planes to channels at 1/8 scale: unshuffled by 2 (luma), then by 4 (with the chroma planes).

    Args:
        luma, chroma: [N * f, 1, H, W] and [N * f, 2, H/2, W/2], f = `together` pictures of a sample in turn.
    Returns:
        [N, 96 f, H/8, W/8], channels last in memory, which makes everything after it faster.
    """
    height, width = luma.shape[-2] // 8, luma.shape[-1] // 8
    # the 8 x 8 luma pixels of a position: 4 rows of 2, then 4 columns of 2
    bright = luma.reshape(-1, together, height, 4, 2, width, 4, 2).permute(0, 2, 5, 1, 4, 7, 3, 6)
    colour = (chroma * CHROMA).reshape(-1, together, 2, height, 4, width, 4).permute(0, 3, 5, 1, 2, 4, 6)
    both = torch.cat([part.reshape(-1, height, width, together, 32 * n) for part, n in ((bright, 2), (colour, 1))], -1)
    return both.reshape(-1, height, width, PICTURE * together).permute(0, 3, 1, 2)


def unpack(packed: Tensor, together: int = 1) -> tuple[Tensor, Tensor]:
    """The inverse of `pack`."""
    height, width = packed.shape[-2:]
    last = packed.permute(0, 2, 3, 1).reshape(-1, height, width, together, PICTURE)
    bright = last[..., :64].reshape(-1, height, width, together, 2, 2, 4, 4).permute(0, 1, 2, 3, 6, 4, 7, 5)
    luma = bright.reshape(-1, height, width, together, 8, 8).permute(0, 3, 1, 4, 2, 5)
    colour = last[..., 64:].reshape(-1, height, width, together, 2, 4, 4).permute(0, 3, 4, 1, 5, 2, 6)
    return luma.reshape(-1, 1, height * 8, width * 8), colour.reshape(-1, 2, height * 4, width * 4) / CHROMA


def pack_several(luma: Tensor, chroma: Tensor) -> Tensor:
    """`pack` of the pictures between two anchors, three to a sample."""
    return pack(luma, chroma, BETWEEN)


def unpack_several(packed: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `pack_several`: luma [N * 3, 1, H, W], chroma [N * 3, 2, H/2, W/2]."""
    return unpack(packed, BETWEEN)


class Crossmodal(Model):
    """The three coders and the predictions they start from. Every method takes its state and gives it back."""

    def __init__(self, config: CrossmodalConfig) -> None:
        super().__init__()
        self.config = config
        key, anchor, between = config.refiners[:2], config.refiners[2:4], config.refiners[4:]
        self.key = KeyCoder(KeyConfig(config.width, *config.key_blocks, config.leading, config.context, config.text, key,
                                      config.features, config.dense))
        one, several = (relative_steps(PATCH, pictures, RISE) for pictures in (1, BETWEEN))
        self.anchor = Coder(1, PATCH, one, (AnchorFilter if config.fine else LoopFilter)(*anchor) if anchor[0] else None)
        self.between = Coder(BETWEEN, PATCH, 1.35 * several,
                             (BetweenFilter if config.paired else LoopFilter)(*between) if between[0] else None)

    def predict_anchor(self, before: Picture, field: Tensor) -> Tensor:
        """Warp the anchor before.

        Args:
            before: the last decoded anchor.
            field: [N, 3, H/8, W/8]: quarter pixels, and how much a block is blurred: 0 not, 1 a little, -1 strongly.
        Returns:
            base [N, 96, H/8, W/8].
        """
        luma, chroma = warp_yuv(before.luma, before.chroma, field[:, :2], self.config.sharpness)
        sharp = pack(luma, chroma)
        little, strongly = (pack(blurred(luma, reach), blurred(chroma, (reach + 1) // 2)) for reach in BLURS)
        degree = field[:, 2:]
        return sharp + (little - sharp) * degree.clamp_min(0.0) + (sharp - strongly) * degree.clamp_max(0.0)

    def predict_between(self, before: Picture, after: Picture, fields: Tensor, shares: Tensor) -> tuple[Tensor, ...]:
        """Warp both anchors to the frames between them.

        Args:
            before, after: decoded anchors of N samples.
            fields: [N, 4, 3, H/8, W/8]: the anchor's field and three corrections in quarter pixels, and the sides.
            shares: [N, 3] places of the frames between the anchors, 0 to 1.
        Returns:
            base [N, 288, H/8, W/8]: the mean of both warps, or one of them where a side says so; and what
            `Coder.synthesise` takes beside it: half the difference of both, if the model has a `BetweenFilter`.
        """
        anchor, corrections, sides = fields[:, :1, :2], fields[:, 1:, :2], fields[:, 1:, 2:]
        forward = corrections + torch.floor(anchor * shares[:, :, None, None, None] + 0.5)
        backward = forward - anchor
        both = []
        for picture, field in ((before, forward), (after, backward)):
            luma, chroma = (plane.unsqueeze(1).expand(-1, BETWEEN, -1, -1, -1).flatten(0, 1)
                            for plane in (picture.luma, picture.chroma))
            both.append(pack_several(*warp_yuv(luma, chroma, field.flatten(0, 1), self.config.sharpness)))
        middle = torch.lerp(both[0], both[1], 0.5)
        half = both[0] - middle
        # a block of vectors is one position of packed pictures
        base = middle + half * sides.expand(-1, -1, PICTURE, -1, -1).flatten(1, 2)
        return (base, half) if self.config.paired else (base,)
