"""What hints are said to cost while they are learned, against what they cost in files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from xvc_bitstream.coders.base import bits

from xvcodec.codec.quality_maps import encode_maps
from xvcodec.models.weights import load_model
from xvcodec.training.telling import bits_of


def maps(wide: float) -> Tensor:
    """Smooth hints with a little noise, [1, 1, 24, 40]."""
    random = torch.Generator().manual_seed(4)
    coarse = torch.randn(1, 1, 6, 10, generator=random) * wide
    smooth = F.interpolate(coarse, scale_factor=4.0, mode="bilinear")
    return (smooth + torch.randn(1, 1, 24, 40, generator=random) * 0.4).round()


@pytest.mark.parametrize("wide", [0.0, 2.0, 4.0])
def test_bits_are_about_those_of_files(wide: float) -> None:
    hints = maps(wide)
    tables = load_model("hivae").tables
    spent = sum(bits(*each, tables) for each in encode_maps(hints[0].numpy().astype(np.int32)))
    assert float(bits_of(hints)) * hints.numel() == pytest.approx(spent, rel=0.35)


def test_what_neighbours_tell_is_cheap_and_gradients_flow() -> None:
    hints = maps(3.0)
    shuffled = hints.flatten()[torch.randperm(hints.numel(), generator=torch.Generator().manual_seed(5))].view_as(hints)
    assert float(bits_of(hints)) < 0.8 * float(bits_of(shuffled))
    values = hints.clone().requires_grad_(True)
    bits_of(values).backward()
    assert values.grad is not None and values.grad.abs().sum() > 0
