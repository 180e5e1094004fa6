"""The `hivae` family: global and detailed motion for extreme compression (after Hi-VAE, arXiv 2506.07136).

A key frame goes through the image path of crossmodal. The rest of a GOP is two hierarchical motion latents:
  global: anchors a chunk apart, each predicted from the anchor before it: slow, large motion, and what it does not explain;
  detail: every picture between, by halves, each predicted from the two decoded ones that it lies amid.
A picture's latent is a vector for each 8x8 block and a DCT of what remains (see `xvcodec.codec.hivae`). Without detail,
pictures between anchors follow straight paths. The decoder's networks (`xvcodec.models.painter`) stand behind the loop: a
mean prediction of the picture, and a rectified flow that draws what is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from xvcodec.models.base import Model
from xvcodec.models.coder import Coder, KeyCoder, KeyConfig
from xvcodec.models.crossmodal import LEAST, PATCH, Picture, pack
from xvcodec.models.loop_filter import LoopFilter
from xvcodec.models.painter import Painter, PainterConfig
from xvcodec.models.warp import warp_yuv


@dataclass(frozen=True)
class HivaeConfig:
    """Sizes of a hivae model."""

    family: ClassVar[str] = "hivae"
    name: str
    width: int = 80  # the image path: as in CrossmodalConfig
    key_blocks: tuple[int, int] = (1, 1)
    leading: int = 160
    context: int = 48
    text: int = 96
    refiner: tuple[int, int] = (24, 3)
    features: int = 4
    loop: tuple[int, int] = (64, 1)  # channels and blocks of the loop filters of predicted pictures, as of crossmodal
    mean: tuple[int, int, int] = (64, 1, 2)  # sizes of the decoder's two networks: see PainterConfig
    flow: tuple[int, int, int] = (96, 1, 2)
    offsets: tuple[float, ...] = (-4.0, 0.0, 8.0, 14.0, 18.0)  # crf of key frames, anchors and each level between
    least: int = LEAST  # narrowest table of the lowest frequency, as of crossmodal
    coarseness: float = 1.6  # of quantiser steps behind the key frame, against crossmodal's of the same crf
    dense: bool = False  # as in CrossmodalConfig


HIVAE = HivaeConfig("hivae", refiner=(48, 5), dense=True)
STEPS = 0
"""Of the flow, unless a decoder is asked for others: so far they are not shown to make it better (the model card)."""


class Hivae(Model):
    """Coders of key frames, anchors and pictures amid two others; and what paints them."""

    def __init__(self, config: HivaeConfig) -> None:
        super().__init__()
        self.config = config
        self.key = KeyCoder(KeyConfig(config.width, *config.key_blocks, config.leading, config.context, config.text,
                                      config.refiner, config.features, config.dense))
        self.anchor = Coder(1, PATCH, config.coarseness, LoopFilter(*config.loop))
        self.amid = Coder(1, PATCH, config.coarseness, LoopFilter(*config.loop))
        self.mean = Painter(PainterConfig(*config.mean), config.text, drawn=False)
        self.flow = Painter(PainterConfig(*config.flow), config.text, drawn=True)

    def predict_anchor(self, before: Picture, field: Tensor) -> Tensor:
        """Warp the anchor before along `field` [N, 2, H/8, W/8], quarter pixels -> [N, 96, H/8, W/8]."""
        return pack(*warp_yuv(before.luma, before.chroma, field))

    def predict_amid(self, before: Picture, after: Picture, forward: Tensor, backward: Tensor, sides: Tensor) -> Tensor:
        """Warp two pictures to one between them.

        Args:
            before, after: decoded.
            forward, backward: [N, 2, H/8, W/8] quarter pixels, where the picture is found in each.
            sides: [N, 1, H/8, W/8]: 1 takes `before` alone, -1 `after` alone, 0 the mean of both.
        Returns:
            [N, 96, H/8, W/8].
        """
        one, other = self.predict_anchor(before, forward), self.predict_anchor(after, backward)
        middle = torch.lerp(one, other, 0.5)
        return middle + (one - middle) * sides
