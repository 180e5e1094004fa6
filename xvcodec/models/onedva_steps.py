"""The onedva model as pure functions; `STEPS` lists their inputs and outputs.

Shapes, with N pictures, H and W multiples of 32: luma and state_luma [N, 1, H, W], chroma and state_chroma [N, 2, H/2,
W/2] in [-0.5, 0.5]; time [N] in [0, 1]; level [N], see `xvcodec.models.onedva.unit_of`; text [N, T, D] and mask [N, T].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xvcodec.models.base import Step
from xvcodec.models.onedva import OneDva, pack, unpack

STEPS = {
    "paint": Step(("luma", "chroma", "state_luma", "state_chroma", "time", "level", "text", "mask"),
                  ("out_luma", "out_chroma"), ("painter.",)),
}


class Paint(nn.Module):
    """Decoded pictures -> finished ones."""

    def __init__(self, model: OneDva) -> None:
        super().__init__()
        self.model = model

    def forward(self, luma: Tensor, chroma: Tensor, state_luma: Tensor, state_chroma: Tensor, time: Tensor, level: Tensor,
                text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and outputs as `STEPS` lists them."""
        state = pack(state_luma, state_chroma)
        return unpack(self.model.painter(pack(luma, chroma), state, time, level, text, mask))


def build_steps(model: OneDva) -> dict[str, nn.Module]:
    """All steps of a model by name."""
    return {"paint": Paint(model)}


def output_shapes(model: OneDva, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Shapes of a step's outputs for given inputs."""
    return [tuple(inputs[0].shape), tuple(inputs[1].shape)]


def example_inputs(model: OneDva, step: str, height: int, width: int, count: int = 1, tokens: int = 4) -> tuple[Tensor, ...]:
    """Seeded inputs of a step for `count` pictures of height x width (multiples of 32)."""
    random = torch.Generator().manual_seed(7)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random) - 0.5

    luma, chroma = uniform(count, 1, height, width), uniform(count, 2, height // 2, width // 2) * 0.3
    state = luma + uniform(*luma.shape) * 0.1, chroma + uniform(*chroma.shape) * 0.1
    return (luma, chroma, *state, torch.full((count,), 0.5), torch.full((count,), 20.0), uniform(count, tokens,
    model.config.text), torch.ones(count, tokens))
