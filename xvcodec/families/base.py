"""What a model family is: everything that weights files, runtimes, the codec and training ask of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from xvc_bitstream.tables import TableSet

from xvcodec.errors import UsageError
from xvcodec.models.base import Model, Step

if TYPE_CHECKING:
    from xvcodec.codec.family import GopCodec
    from xvcodec.models.weights import LoadedModel
    from xvcodec.runtime.base import Runtime
    from xvcodec.training.recipe import Recipe
    from xvcodec.training.task import Task


@dataclass(frozen=True)
class Fitted:
    """What is fitted to symbols, not trained by gradients through pictures: integers of a weights file."""

    tables: TableSet
    extras: Any = None  # see `Family.extras`


def same_edition(of_weights: int, ours: int) -> None:
    """Raises ValueError unless weights write a GOP's integers as this version of the codec does."""
    if of_weights != ours:
        raise ValueError(f"the weights are for edition {of_weights} of the model's streams, this version for {ours}")


class Family(ABC):
    """One family of models; its only instance is `FAMILY` in its module of `xvcodec.families`.

    Attributes:
        config: the dataclass of its sizes, a `ModelConfig`.
        about: one line for people on each model that ships.
        steps: the steps that runtimes run, by name; at least one is exact.
    """

    config: type[Any]
    about: Mapping[str, str]
    steps: Mapping[str, Step]

    # networks

    @abstractmethod
    def build(self, config: Any) -> Model:
        """A model to train, with fresh weights."""

    @abstractmethod
    def freeze(self, model: Model) -> None:
        """Replace trainable integer networks by baked ones, in place; raises ValueError when they would not be exact."""

    @abstractmethod
    def skeleton(self, config: Any) -> Model:
        """A model as `freeze` leaves it, weights of any value (built on the meta device, without memory)."""

    @abstractmethod
    def check(self, model: Model) -> None:
        """Raise ValueError when the integer networks of a baked model are not exact."""

    def constants(self, model: Model) -> dict[str, Tensor]:
        """Entries of the state that are the same in every model of these sizes: weights files leave them out."""
        return {}

    def extras(self, arrays: dict[str, NDArray[Any]]) -> Any:
        """What the codec needs besides networks and tables, out of a weights file's other arrays."""
        return None

    def extra_arrays(self, extras: Any) -> dict[str, NDArray[Any]]:
        """The inverse of `extras`."""
        return {}

    # steps

    @abstractmethod
    def modules(self, model: Model) -> dict[str, nn.Module]:
        """Every step as a module; the model is its attribute `model`, so that its weights keep their names."""

    @abstractmethod
    def example_inputs(self, model: Model, step: str, height: int, width: int, count: int = 1,
                       tokens: int = 4) -> tuple[Tensor, ...]:
        """Seeded inputs of a step for `count` pictures of height x width (multiples of 32)."""

    @abstractmethod
    def output_shapes(self, model: Model, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
        """Shapes of a step's outputs for given inputs."""

    @abstractmethod
    def runs(self, frames: int) -> Mapping[str, tuple[float, float]]:
        """How often each step runs to encode and to decode a GOP, on average over where a last chunk may end."""

    # coding and training

    @abstractmethod
    def codec(self, model: LoadedModel, runtime: Runtime) -> GopCodec:
        """What codes GOPs with a loaded model."""

    @abstractmethod
    def recipes(self) -> Mapping[str, Recipe]:
        """Recipes of training by name."""

    @abstractmethod
    def task(self, recipe: Any, model: Model, device: torch.device, fitted: Path | None = None) -> Task:
        """What training does with a batch; `fitted` as below."""

    def fitted(self, path: Path | None) -> Fitted:
        """What a model that was just trained is baked with: out of a file, or the usual when none is given."""
        from xvcodec.training.rate import laplace_tables

        if path is not None:
            raise UsageError("nothing is fitted to the symbols of this family: leave the file of fitted contexts out")
        return Fitted(laplace_tables())
