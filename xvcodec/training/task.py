"""What training does with a batch, family by family; `xvcodec.training.loop` does the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xvcodec.models.base import Model
from xvcodec.training.data import Clips
from xvcodec.training.recipe import Recipe

RGB_ERROR = 1.355
"""Squared error in RGB (0 to 1) for one of the packed picture: 1.164^2, limited range BT.709."""

Texts = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
"""Captions (some are dropped, as the recipe says) to tokens [N, T, D] and mask [N, T]."""


@dataclass
class Figures:
    """What came of one step."""

    values: dict[str, Tensor]  # for the log, a number each
    pixels: int  # luma pixels seen, frames counted each


class Task(ABC):
    """Batches, losses and learning rates of one family."""

    def __init__(self, recipe: Any, model: Any, device: torch.device) -> None:
        self.recipe: Recipe = recipe
        self.model: Model = model
        self.device = device

    def start(self, clips: Clips) -> None:
        """Give a fresh model its first values, measured on the clips."""
        return

    def compile(self) -> None:
        """Compile what pays on a GPU."""
        return

    def factor(self, name: str) -> float:
        """Learning rate of a parameter, relative to the recipe's."""
        if ".refiner." in name:
            return self.recipe.filter
        if ".scales." not in name:
            return 1.0
        return self.recipe.index if name.endswith("values") else self.recipe.integer

    @abstractmethod
    def step(self, clips: Clips, texts: Texts, update: Callable[[], None]) -> Figures:
        """Take a batch, make gradients, and call `update` once or several times."""
