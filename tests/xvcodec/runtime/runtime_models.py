"""A tiny model for the tests of the runtimes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from xvcodec.models.crossmodal import Crossmodal, CrossmodalConfig

TINY = CrossmodalConfig("tiny", width=24, key_blocks=(1, 1), leading=16, context=5, refiners=(8, 1, 8, 1, 8, 1), dense=True,
                        features=2, text=8)


@dataclass
class Loaded:
    """What `choose_runtime` needs of a loaded model."""

    module: Crossmodal


def tiny_model(seed: int = 3) -> Crossmodal:
    """A seeded model with no layer at zero, so that every weight counts in a comparison."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Crossmodal(TINY).eval().requires_grad_(False)
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3 / parameter.shape[-1] ** 0.5)
    return model
