"""Painting what onedva's tokens tell: at once, or in steps out of noise that depends on the GOP's seed alone."""

from __future__ import annotations

import numpy as np
import torch

from xvcodec.codec.family import Guide, Planes
from xvcodec.models.chain import Pictures
from xvcodec.models.onedva import SPREAD, unit_of
from xvcodec.models.patches import CHROMA
from xvcodec.runtime.base import Runtime

STEPS = 1
"""Of painting, where nobody says how many; 0 is one deterministic pass."""


def noise(seed: int, start: int, plane: int, shape: torch.Size) -> torch.Tensor:
    """Normal noise that depends on the GOP's seed, the place of its pictures and the plane only (Philox, counter-based)."""
    generator = np.random.Generator(np.random.Philox(key=seed & (1 << 64) - 1, counter=[0, 0, start, plane]))
    return torch.from_numpy(generator.standard_normal(shape, np.float32))


def painted(runtime: Runtime, rough: Pictures, start: int, level: float, guide: Guide) -> Planes:
    """Pictures from the painter.

    Args:
        rough: as the tokens tell them, on the runtime's device.
        start: number of the first of them in the GOP.
        level: of the last scan, see `xvcodec.models.onedva.unit_of`.
    """
    count, device = rough.luma.shape[0], runtime.device
    levels = torch.full((count,), level, device=device)
    text, mask = guide.text.expand(count, -1, -1), guide.mask.expand(count, -1)

    def finished(state: Pictures, time: float) -> Pictures:
        times = torch.full((count,), time, device=device)
        return Pictures(*runtime.run("paint", (*rough.planes(), *state.planes(), times, levels, text, mask)))

    steps = STEPS if guide.steps is None else guide.steps
    if not steps:
        return Planes(*finished(rough, 0.0).planes())
    unit = float(unit_of(levels[:1])) * SPREAD
    state = Pictures(*(plane + unit / scale * noise(guide.seed, start, number, plane.shape).to(device)
                       for number, (plane, scale) in enumerate(zip(rough.planes(), (1.0, CHROMA), strict=True))))
    for step in range(steps, 0, -1):
        goal = finished(state, step / steps)
        state = Pictures(*(now + (end - now) / step for now, end in zip(state.planes(), goal.planes(), strict=True)))
    return Planes(*state.planes())
