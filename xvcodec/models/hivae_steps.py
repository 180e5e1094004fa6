"""The hivae model as pure functions, for both runtimes: those of crossmodal, and those of the painters."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from xvcodec.models import painter_steps as painters
from xvcodec.models import steps as crossmodal
from xvcodec.models.hivae import Hivae

STEPS = {**crossmodal.STEPS, **painters.STEPS}


def build_steps(model: Hivae) -> dict[str, nn.Module]:
    """All steps of a model by name."""
    return crossmodal.build_steps(model) | painters.build_steps(model)


def output_shapes(model: Hivae, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Shapes of a step's outputs for given inputs."""
    those = painters if step in painters.STEPS else crossmodal
    return those.output_shapes(model, step, inputs)


def example_inputs(model: Hivae, step: str, height: int, width: int, count: int = 1, tokens: int = 4) -> tuple[Tensor, ...]:
    """Seeded inputs of a step for pictures of height x width (multiples of 32)."""
    if step in painters.STEPS:
        return painters.example_inputs(model, step, height, width, count, tokens)
    return crossmodal.example_inputs(model, step, height, width, count, tokens)
