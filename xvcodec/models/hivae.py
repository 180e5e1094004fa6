"""The `hivae` family: global and detailed motion for extreme compression (after Hi-VAE, arXiv 2506.07136).

It codes as crossmodal does, on to much coarser steps: a key frame; then two hierarchical motion latents:
  global: anchors a chunk apart, each predicted from the anchor before it: slow, large motion, and what it does not explain;
  detail: the frames between, each predicted from both anchors: how they leave the straight path, and what remains.
What the paper's decoder is stands behind the loop (`xvcodec.models.painter`): a mean prediction of the picture, and a
rectified flow, with layers of a transformer over patches of 8x8 pixels, that draws what is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xvcodec.models.crossmodal import FAST, Crossmodal, CrossmodalConfig
from xvcodec.models.hints import Teller
from xvcodec.models.painter import FLOW, MEAN, PLANES, Painter, PainterConfig, Sizes

COARSEST = 88.0
"""Quality (crf) of the coarsest areas: beyond 63, where crossmodal ends, steps grow on as before."""


@dataclass(frozen=True)
class HivaeConfig(CrossmodalConfig):
    """Sizes of a hivae model."""

    family: ClassVar[str] = "hivae"
    mean: Sizes = MEAN
    flow: Sizes = FLOW
    layers: int = 2  # of the transformer in the flow
    hints: int = 1  # that the flow is told for each area


def like(config: CrossmodalConfig, name: str) -> HivaeConfig:
    """A model that codes as a crossmodal one does."""
    return HivaeConfig(**{**vars(config), "name": name})


HIVAE = like(FAST, "hivae")


class Hivae(Crossmodal):
    """The three coders of crossmodal, and what paints their pictures."""

    config: HivaeConfig

    def __init__(self, config: HivaeConfig) -> None:
        super().__init__(config)
        for coder in (self.key, self.anchor, self.between):
            coder.log_step.endless = True
        self.mean = Painter(PainterConfig(*config.mean), config.text, drawn=False)
        self.flow = Painter(PainterConfig(*config.flow, config.layers, config.hints), config.text, drawn=True)
        self.teller = Teller(PLANES, config.hints)
