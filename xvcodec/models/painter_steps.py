"""The painters as pure functions, for both runtimes: steps of every model that has them.

Shapes, with N pictures, H and W multiples of 32: luma [N, 1, H, W], chroma [N, 2, H/2, W/2] in [-0.5, 0.5]; q [N] the
quality that painters are told, crf; text [N, T, D] and mask [N, T]; state and detail [N, 6, H/2, W/2] in the units of
`xvcodec.models.painter`, time [N] from 0 to 1; hints [N, C, H/16, W/16].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from xvcodec.models.base import Step
from xvcodec.models.hints import HINTED, Teller
from xvcodec.models.painter import PLANES, Painter, halves, unit_of, wholes

_SEEN = ("luma", "chroma", "q", "text", "mask")
STEPS = {
    "paint.mean": Step(_SEEN, ("out_luma", "out_chroma"), ("mean.",)),
    "paint.flow": Step((*_SEEN, "state", "time", "hints"), ("detail",), ("flow.",)),
    "paint.tell": Step(("truth_luma", "truth_chroma", "luma", "chroma", "q"), ("hints",), ("teller.",)),
}


class Painted(Protocol):
    """A model with painters."""

    config: Any
    mean: Painter
    flow: Painter
    teller: Teller


class _Part(nn.Module):
    """A step; inputs and outputs of its `forward` as `STEPS` lists them."""

    model: Painted

    def __init__(self, model: Painted) -> None:
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
                time: Tensor, hints: Tensor) -> Tensor:
        """See `STEPS`."""
        detail: Tensor = self.model.flow(halves(luma, chroma), q, text, mask, state, time, hints)
        return detail


class Tell(_Part):
    """A picture and what is decoded of it -> hints, before they are rounded."""

    def forward(self, truth_luma: Tensor, truth_chroma: Tensor, luma: Tensor, chroma: Tensor, q: Tensor) -> Tensor:
        """See `STEPS`."""
        hints: Tensor = self.model.teller(halves(truth_luma, truth_chroma), halves(luma, chroma), unit_of(q))
        return hints


def build_steps(model: Painted) -> dict[str, nn.Module]:
    """The steps of a model by name."""
    return {"paint.mean": Mean(model), "paint.flow": Flow(model), "paint.tell": Tell(model)}


def output_shapes(model: Painted, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Shapes of a step's outputs for given inputs."""
    luma, chroma = (tuple(plane.shape) for plane in inputs[:2])
    if step == "paint.tell":
        return [(luma[0], model.config.hints, luma[2] // HINTED, luma[3] // HINTED)]
    return [luma, chroma] if step == "paint.mean" else [(luma[0], PLANES, *chroma[2:])]


def example_inputs(model: Painted, step: str, height: int, width: int, count: int = 1,
                   tokens: int = 4) -> tuple[Tensor, ...]:
    """Seeded inputs of a step for `count` pictures of height x width (multiples of 32)."""
    random = torch.Generator().manual_seed(7)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random) - 0.5

    areas = (height // HINTED, width // HINTED)
    made = {
        "truth_luma": uniform(count, 1, height, width), "truth_chroma": uniform(count, 2, height // 2, width // 2) * 0.3,
        "luma": uniform(count, 1, height, width), "chroma": uniform(count, 2, height // 2, width // 2) * 0.3,
        "q": torch.full((count,), 50.0), "text": uniform(count, tokens, model.config.text),
        "mask": torch.ones(count, tokens),
        "state": torch.randn(count, PLANES, height // 2, width // 2, generator=random), "time": torch.full((count,), 0.5),
        "hints": torch.randint(-2, 3, (count, model.config.hints, *areas), generator=random).float(),
    }
    return tuple(made[name] for name in STEPS[step].inputs)
