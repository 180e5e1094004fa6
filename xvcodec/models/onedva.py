"""The `onedva` family: a GOP as one sequence of tokens, as many as it needs, and a generative decoder in pixel space.

After One-DVA (shared idea: 1-D tokens, any prefix of which is a coarser description; a diffusion decoder conditioned on
what they tell). Pictures are coded in the loop of `hivae`; tokens are its integers in planes of bits. Behind the loop stand
its painters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xvcodec.models.crossmodal import FAST
from xvcodec.models.hivae import Hivae, HivaeConfig

EDITION = 5
"""Of how a GOP's integers are written, which weights name: what another edition wrote is refused, not misread."""


@dataclass(frozen=True)
class OneDvaConfig(HivaeConfig):
    """Sizes of a onedva model."""

    family: ClassVar[str] = "onedva"
    edition: int = EDITION


ONEDVA = OneDvaConfig(**{**vars(FAST), "name": "onedva", "edition": EDITION})


class OneDva(Hivae):
    """As hivae."""

    config: OneDvaConfig
