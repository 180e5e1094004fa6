"""What every model has, of whichever family: sizes, a name, and steps that both runtimes can run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import nn


class ModelConfig(Protocol):
    """Sizes of a model: a frozen dataclass of strings, numbers and tuples of numbers, stored with the weights."""

    family: ClassVar[str]  # a name in `xvcodec.families`

    @property
    def name(self) -> str:
        """Name of the model, as streams and `--model` know it."""

    @property
    def text(self) -> int:
        """Size of a caption token."""


class Model(nn.Module):
    """The networks of a model; everything else about its family is found by `xvcodec.families.family_of`."""

    config: Any
    """A `ModelConfig`, of the family's own type."""


@dataclass(frozen=True)
class Step:
    """A pure function of tensors: what a runtime runs, and what becomes one ONNX graph.

    All tensors are float32. Every axis of an input may have any size except axis 1, the channels (in `text` and `mask`
    that one, too, is free).
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: tuple[str, ...]  # how the names of the weights begin that it uses
    exact: bool = False  # integer arithmetic in float32: never run with fewer bits
