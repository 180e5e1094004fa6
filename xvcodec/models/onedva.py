"""The `onedva` family: a GOP as one sequence of tokens, as many as it needs, and a generative decoder in pixel space.

After One-DVA (shared idea: 1-D tokens, any prefix of which is a coarser description; a diffusion decoder conditioned on
what they tell). Tokens come from a closed-form path (motion-compensated prediction in a chain and a DCT: `chain`,
`patches`). Behind it stand two painters (`xvcodec.models.painter`): a mean prediction of the picture, and a rectified flow
that draws what is lost, with layers of a transformer over patches of 8x8 pixels. They begin as no change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xvcodec.models.base import Model
from xvcodec.models.painter import FLOW, MEAN, Painter, PainterConfig, Sizes

EDITION = 3
"""Of how a GOP's integers are written, which weights name: what another edition wrote is refused, not misread."""


@dataclass(frozen=True)
class OneDvaConfig:
    """Sizes of a onedva model."""

    family: ClassVar[str] = "onedva"
    name: str
    mean: Sizes = MEAN
    flow: Sizes = FLOW
    layers: int = 2  # of the transformer in the flow
    text: int = 96  # size of a caption token
    edition: int = EDITION


ONEDVA = OneDvaConfig("onedva")


class OneDva(Model):
    """The painters; everything else is closed form."""

    def __init__(self, config: OneDvaConfig) -> None:
        super().__init__()
        self.config = config
        self.mean = Painter(PainterConfig(*config.mean), config.text, drawn=False)
        self.flow = Painter(PainterConfig(*config.flow, layers=config.layers), config.text, drawn=True)
