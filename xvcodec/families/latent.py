"""The `latent` family: open-loop latents of four frames, for people who keep video as latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xvcodec.codec.family import GopCodec
from xvcodec.codec.latent import LatentCodec
from xvcodec.families.base import Family
from xvcodec.models import latent_steps as steps
from xvcodec.models.base import Model
from xvcodec.models.integer import IntegerScales
from xvcodec.models.latent import CHUNK, FRAMES, LatentConfig, LatentModel
from xvcodec.models.latent_stages import LATENTS
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.base import Runtime


class LatentFamily(Family):
    """See `Family`."""

    config = LatentConfig
    about = {"crossmodal-latent": "open-loop latents, 16 numbers for 8x8x4 pixels"}  # noqa: RUF012
    steps = steps.STEPS

    def build(self, config: LatentConfig) -> LatentModel:
        """See `Family.build`."""
        return LatentModel(config)

    def freeze(self, model: Model) -> None:
        """See `Family.freeze`."""
        for prior in _priors(model):
            prior.scales = IntegerScales.bake(prior.scales)

    def skeleton(self, config: LatentConfig) -> LatentModel:
        """See `Family.skeleton`."""
        model = LatentModel(config)
        for prior in _priors(model):
            prior.scales = IntegerScales(config.hyper, LATENTS)
        return model

    def check(self, model: Model) -> None:
        """See `Family.check`."""
        for prior in _priors(model):
            prior.scales.check()

    def modules(self, model: Model) -> dict[str, nn.Module]:
        """See `Family.modules`."""
        assert isinstance(model, LatentModel)
        return steps.build_steps(model)

    def example_inputs(self, model: Model, step: str, height: int, width: int, count: int = 1,
                       tokens: int = 4) -> tuple[Tensor, ...]:
        """See `Family.example_inputs`."""
        assert isinstance(model, LatentModel)
        return steps.example_inputs(model, step, height, width, count, tokens)

    def output_shapes(self, model: Model, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
        """See `Family.output_shapes`."""
        assert isinstance(model, LatentModel)
        return steps.output_shapes(model, step, inputs)

    def runs(self, frames: int) -> Mapping[str, tuple[float, float]]:
        """One image, then a latent frame for every four pictures. The loop is open: encoding does not decode pictures."""
        times = {"image": 1.0, "clip": (frames - 1) / CHUNK}
        ways = {"analyse": (1.0, 0.0), "reduce": (1.0, 0.0), "scales": (1.0, 1.0), "restore": (1.0, 1.0),
                "synthesise": (0.0, 1.0)}
        return {f"{kind}.{what}": (times[kind] * encode, times[kind] * decode)
                for kind in FRAMES for what, (encode, decode) in ways.items()}

    def codec(self, model: LoadedModel, runtime: Runtime) -> GopCodec:
        """See `Family.codec`."""
        return LatentCodec(model, runtime)

    def recipes(self) -> Mapping[str, Any]:
        """See `Family.recipes`."""
        from xvcodec.training.latent import RECIPES

        return RECIPES

    def task(self, recipe: Any, model: Model, device: torch.device, fitted: Path | None = None) -> Any:
        """See `Family.task`."""
        from xvcodec.training.latent import LatentTask

        return LatentTask(recipe, model, device)


def _priors(model: Model) -> list[Any]:
    assert isinstance(model, LatentModel)
    return [model.coder(kind).prior for kind in FRAMES]


FAMILY = LatentFamily()
