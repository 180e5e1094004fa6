"""What every recipe says, of whichever family; a family adds fields of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    motion: ClassVar[bool] = False  # whether it needs the motion fields of the clips, whose search takes minutes
    model: Any  # its `ModelConfig`
    minutes: float  # wall-clock limit of this run
    steps: int = 0  # this run ends after so many steps if they are done earlier; 0: the minutes alone
    batch: int = 4  # clips a step
    photographs: int = 3  # photographs a step
    size: int = 128  # side of the crops
    rate: float = 6e-4  # learning rate of the networks
    integer: float = 0.5  # factor for the weights of the integer scale networks
    index: float = 50.0  # factor for their biases, which count in table indices (one is 12 % of scale)
    filter: float = 5.0  # factor for the loop filters: small convolutions that see many pixels
    warm: int = 100  # steps of warm-up
    fall: float = 0.25  # share of the time in which the rate falls to 2 %
    averaging: float = 0.999  # decay of the weight average that is released
    probes: int = 0  # fixed batches that the log measures the averaged weights on, every three minutes; 0 for none
    caption_drop: float = 0.25  # share of captioned clips that train without their caption
    seed: int = 0
