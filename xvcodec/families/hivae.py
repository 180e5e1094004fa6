"""The `hivae` family: global and detailed motion, and a generative decoder; extreme compression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from xvcodec.codec.coefficient_contexts import CoefficientContexts
from xvcodec.codec.coefficients import narrowest
from xvcodec.codec.family import GopCodec
from xvcodec.codec.fields import FieldContexts
from xvcodec.codec.hivae import LATENT_SIZES, HivaeCodec, HivaeContexts
from xvcodec.errors import ModelError
from xvcodec.families.base import Family, Fitted
from xvcodec.models import hivae_steps as steps
from xvcodec.models.base import Model
from xvcodec.models.context import PASSES
from xvcodec.models.hivae import HIVAE, STEPS, Hivae, HivaeConfig
from xvcodec.models.weights import LoadedModel, shipped, tables_from
from xvcodec.runtime.base import Runtime

FIELDS, LATENTS = "fields.", "latents."
"""How the names of the contexts of motion fields and of coefficients begin in a weights file."""
IMAGES = "crossmodal-fast"
"""The model whose image path codes key frames, and whose loop filters a new model begins with."""


class HivaeFamily(Family):
    """See `Family`."""

    config = HivaeConfig
    about = {"hivae": "extreme compression, with a generative decoder"}  # noqa: RUF012
    steps = steps.STEPS

    def build(self, config: HivaeConfig) -> Hivae:
        """See `Family.build`."""
        return Hivae(config)

    def freeze(self, model: Model) -> None:
        """See `Family.freeze`: there is nothing to bake, no network chooses a table."""

    def skeleton(self, config: HivaeConfig) -> Hivae:
        """See `Family.skeleton`."""
        return Hivae(config)

    def check(self, model: Model) -> None:
        """See `Family.check`: contexts check themselves."""
        assert isinstance(model, Hivae)
        narrowest(model.config.least)

    def constants(self, model: Model) -> dict[str, Tensor]:
        """The transforms."""
        return {f"{kind}.transform.{name}": value for kind in LATENT_SIZES
                for name, value in getattr(model, kind).transform.state_dict().items()}

    def extras(self, arrays: dict[str, NDArray[Any]]) -> HivaeContexts:
        """The contexts of motion fields and coefficients."""
        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

        latents = {kind: CoefficientContexts.from_tensors(part(f"{LATENTS}{kind}.")) for kind in LATENT_SIZES}
        return HivaeContexts(FieldContexts.from_tensors(part(FIELDS)), latents)

    def extra_arrays(self, extras: HivaeContexts) -> dict[str, NDArray[Any]]:
        """See `Family.extra_arrays`."""
        arrays: dict[str, NDArray[Any]] = {FIELDS + name: array for name, array in extras.fields.to_tensors().items()}
        for kind, contexts in extras.latents.items():
            arrays |= {f"{LATENTS}{kind}.{name}": array for name, array in contexts.to_tensors().items()}
        return arrays

    def modules(self, model: Model) -> dict[str, nn.Module]:
        """See `Family.modules`."""
        assert isinstance(model, Hivae)
        return steps.build_steps(model)

    def example_inputs(self, model: Model, step: str, height: int, width: int, count: int = 1,
                       tokens: int = 4) -> tuple[Tensor, ...]:
        """See `Family.example_inputs`."""
        assert isinstance(model, Hivae)
        return steps.example_inputs(model, step, height, width, count, tokens)

    def output_shapes(self, model: Model, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
        """See `Family.output_shapes`."""
        assert isinstance(model, Hivae)
        return steps.output_shapes(model, step, inputs)

    def runs(self, frames: int) -> Mapping[str, tuple[float, float]]:
        """One key frame, an anchor in four frames, and all others amid two. Only the decoder paints."""
        anchors = (frames - 1) / 4
        times = {"key": 1.0, "anchor": anchors, "amid": frames - 1 - anchors}
        found = {f"{kind}.{what}": (count, decode * count) for kind, count in times.items()
                 for what, decode in (("analyse", 0.0), ("synthesise", 1.0))}
        return found | {"key.context": (PASSES - 1.0, 0.0), "paint.mean": (0.0, float(frames)),
                        "paint.flow": (0.0, float(frames * STEPS))}

    def codec(self, model: LoadedModel, runtime: Runtime) -> GopCodec:
        """See `Family.codec`."""
        return HivaeCodec(model, runtime)

    def recipes(self) -> Mapping[str, Any]:
        """See `Family.recipes`."""
        from xvcodec.training.hivae import RECIPES

        return RECIPES

    def task(self, recipe: Any, model: Model, device: torch.device, fitted: Path | None = None) -> Any:
        """See `Family.task`."""
        from xvcodec.training.hivae import HivaeTask

        assert isinstance(model, Hivae)
        return HivaeTask(recipe, model, device)

    def fitted(self, path: Path | None) -> Fitted:
        """Contexts and tables out of a file, else those of the weights that ship, whatever their networks look like."""
        path = path or shipped()[HIVAE.name]
        try:
            arrays: dict[str, NDArray[np.generic]] = dict(load_file(path))
            return Fitted(tables_from(arrays), self.extras(arrays))
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            why = f"{path} holds no contexts of hivae ({error}): leave it out to begin with those that ship"
            raise ModelError(why) from None


FAMILY = HivaeFamily()
