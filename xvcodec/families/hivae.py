"""The `hivae` family: crossmodal's coding on to coarser steps, and a generative decoder; extreme compression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xvcodec.codec import painting
from xvcodec.codec.drawing import LOOKED_AT
from xvcodec.codec.family import GopCodec
from xvcodec.codec.hivae import HivaeCodec
from xvcodec.families.base import Fitted
from xvcodec.families.crossmodal import CrossmodalFamily
from xvcodec.models import hivae_steps as steps
from xvcodec.models.base import Model
from xvcodec.models.hivae import Hivae, HivaeConfig
from xvcodec.models.weights import LoadedModel, load_model
from xvcodec.runtime.base import Runtime

CODES_LIKE = "crossmodal-fast"
"""The model whose coders and contexts a new model begins with, and keeps."""


class HivaeFamily(CrossmodalFamily):
    """See `Family`; what is not here is as of crossmodal."""

    config = HivaeConfig
    about = {"hivae": "extreme compression, with a generative decoder"}  # noqa: RUF012
    steps = steps.STEPS

    def build(self, config: Any) -> Hivae:
        """See `Family.build`."""
        return Hivae(config)

    def skeleton(self, config: Any) -> Hivae:
        """See `Family.skeleton`."""
        return Hivae(config)

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
        """What crossmodal runs; every picture that is shown is painted, which the encoder needs only to measure."""
        return {**super().runs(frames), **painting.runs(frames, LOOKED_AT)}

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
        """Contexts and tables out of a file of tools/fit_contexts.py, else those of the model that it codes like."""
        if path is not None:
            return super().fitted(path)
        model = load_model(CODES_LIKE)
        return Fitted(model.tables, model.extras)


FAMILY = HivaeFamily()
