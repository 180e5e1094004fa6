"""Counting multiplications: thousands a luma pixel, the currency of design section 6."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from xvcodec.models.crossmodal import BETWEEN, CHUNK, Crossmodal
from xvcodec.models.steps import KINDS, build_steps, example_inputs

SIDE = 256
GOP = 32


@dataclass(frozen=True)
class Cost:
    """kMAC a luma pixel, mean over a GOP of 32 frames. The encoder runs the decoder's part as well."""

    encode: float
    decode: float
    parts: dict[str, float]  # each step for one run, a pixel of one picture


def kmac_per_pixel(model: Crossmodal) -> Cost:
    """Count convolutions and matrix products of every step on pictures of 256 x 256 (motion search is not counted)."""
    parts: dict[str, float] = {}
    for name, step in build_steps(model).items():
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            step(*example_inputs(model, name, SIDE, SIDE))
        parts[name] = counter.get_total_flops() / 2 / SIDE**2 / 1000.0
    runs = {"key": 1.0, "anchor": (GOP - 1) / CHUNK, "between": (GOP - 1) / CHUNK}
    assert BETWEEN == CHUNK - 1

    def total(*kinds: str) -> float:
        return sum(parts[f"{kind}.{part}"] * runs[kind] for kind in KINDS for part in kinds) / GOP

    return Cost(total("analyse", "scales", "synthesise"), total("scales", "synthesise"), parts)
