"""The hivae model as pure functions, for both runtimes; see `xvcodec.models.steps` for those that are of crossmodal.

Besides: state and detail [N, 6, H/2, W/2] in the units of `xvcodec.models.fine_painter`, time [N] from 0 to 1; q of
painters is the quality of the GOP, [N].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xvcodec.models import steps as crossmodal
from xvcodec.models.base import Step
from xvcodec.models.fine_painter import PLANES, halves, unit_of, wholes
from xvcodec.models.hivae import Hivae

PAINT = "paint."
_SEEN = ("luma", "chroma", "q", "text", "mask")
STEPS = {
    **crossmodal.STEPS,
    "paint.mean": Step(_SEEN, ("out_luma", "out_chroma"), ("mean.",)),
    "paint.flow": Step((*_SEEN, "state", "time"), ("detail",), ("flow.",)),
}


class _Part(nn.Module):
    """A step; inputs and outputs of its `forward` as `STEPS` lists them."""

    def __init__(self, model: Hivae) -> None:
        super().__init__()
        self.model = model


class Mean(_Part):
    """A decoded picture -> what it looked like, on average."""

    def forward(self, luma: Tensor, chroma: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `STEPS`."""
        planes = halves(luma, chroma)
        return wholes(planes + self.model.mean(planes, q, text, mask) * unit_of(q))


class Flow(_Part):
    """A decoded picture, and where the flow is -> the detail at its end."""

    def forward(self, luma: Tensor, chroma: Tensor, q: Tensor, text: Tensor, mask: Tensor, state: Tensor,
                time: Tensor) -> Tensor:
        """See `STEPS`."""
        detail: Tensor = self.model.flow(halves(luma, chroma), q, text, mask, state, time)
        return detail


def build_steps(model: Hivae) -> dict[str, nn.Module]:
    """All steps of a model by name."""
    return crossmodal.build_steps(model) | {"paint.mean": Mean(model), "paint.flow": Flow(model)}


def output_shapes(model: Hivae, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Shapes of a step's outputs for given inputs."""
    if not step.startswith(PAINT):
        return crossmodal.output_shapes(model, step, inputs)
    luma, chroma = (tuple(plane.shape) for plane in inputs[:2])
    return [luma, chroma] if step == "paint.mean" else [(luma[0], PLANES, *chroma[2:])]


def example_inputs(model: Hivae, step: str, height: int, width: int, count: int = 1, tokens: int = 4) -> tuple[Tensor, ...]:
    """Seeded inputs of a step for pictures of height x width (multiples of 32)."""
    if not step.startswith(PAINT):
        return crossmodal.example_inputs(model, step, height, width, count, tokens)
    luma, chroma, _, text, mask = crossmodal.example_inputs(model, "key.analyse", height, width, count, tokens)
    made = {"luma": luma, "chroma": chroma, "q": torch.full((count,), 50.0), "text": text, "mask": mask,
            "state": torch.randn(count, PLANES, *chroma.shape[2:], generator=torch.Generator().manual_seed(8)),
            "time": torch.full((count,), 0.5)}
    return tuple(made[name] for name in STEPS[step].inputs)
