"""A tiny model for the tests of the runtimes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from xvcodec.models.crossmodal import Crossmodal, CrossmodalConfig
from xvcodec.models.integer import IntegerScales
from xvcodec.models.steps import KINDS

TINY = CrossmodalConfig("tiny", width=24, key_blocks=(1, 1), anchor_blocks=(1, 1), between_blocks=(1, 1),
                        leading=(16, 12, 8), hyper=4, context=5, memory=8, refiners=(8, 1, 8, 1, 8, 1), features=2, text=8)


@dataclass
class Loaded:
    """What `choose_runtime` needs of a loaded model."""

    module: Crossmodal


def tiny_model(seed: int = 3) -> Crossmodal:
    """A seeded model with baked scales and no layer at zero, so that every weight counts in a comparison."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Crossmodal(TINY).eval().requires_grad_(False)
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3 / parameter.shape[-1] ** 0.5)
    for kind in KINDS:
        prior = getattr(model, kind).prior
        prior.analyse[-1].weight.mul_(30.0)  # hyper-latents that are not all zero
        prior.scales.last.weight.mul_(8.0)  # and indices that follow them
        prior.scales = IntegerScales.bake(prior.scales)
    return model
