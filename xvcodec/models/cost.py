"""Counting multiplications: thousands a luma pixel, the currency of design section 6."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from xvcodec.families import family_of
from xvcodec.models.base import Model

SIDE = 256
GOP = 32


@dataclass(frozen=True)
class Cost:
    """kMAC a luma pixel, mean over a GOP of 32 frames. Where the loop is closed, encoding includes decoding."""

    encode: float
    decode: float
    parts: dict[str, float]  # each step for one run, a pixel of one picture


def kmac_per_pixel(model: Model) -> Cost:
    """Count convolutions and matrix products of every step on pictures of 256 x 256 (motion search is not counted)."""
    family = family_of(model)
    parts: dict[str, float] = {}
    for name, step in family.modules(model).items():
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            step(*family.example_inputs(model, name, SIDE, SIDE))
        parts[name] = counter.get_total_flops() / 2 / SIDE**2 / 1000.0
    runs = family.runs(GOP)
    encode, decode = (sum(parts[name] * runs[name][way] for name in parts) / GOP for way in (0, 1))
    return Cost(encode, decode, parts)
