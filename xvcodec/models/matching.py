"""What a prediction leaves to be coded: how the motion search compares blocks."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.transform import dct
from xvcodec.models.warp import BLOCK

DEAR, EARLY = 2.0, 3.0
"""A coefficient of c quantiser steps costs about DEAR log2(1 + EARLY c^2) bits: its error where it is left out, its symbol
where it is coded. Measured in files against absolute differences: -4.3 % bits (motorbike -7, cockatoo -8)."""


Step = float | Tensor
"""Quantiser step that the search is told, picture units; a tensor [1, 1, H/8, W/8] has one for each block."""


def step_at(step: Step, height: int, width: int) -> Step:
    """The step of each block where there are height x width in a picture, [1, height, width]."""
    return step if isinstance(step, float) else F.interpolate(step, (height, width), mode="area")[:, 0]


def coded_bits(difference: Tensor, step: Step, block: int) -> Tensor:
    """What a difference of pictures costs to code or to leave, estimated in bits from its DCT.

    Args:
        difference: [M, 1, H, W] in picture units.
        step: of the quantiser.
        block: size of the blocks asked for, a multiple of BLOCK.
    Returns:
        [M, H/block, W/block].
    """
    basis = dct(BLOCK).to(difference.device)
    coefficients = F.conv2d(difference, torch.kron(basis, basis).view(-1, 1, BLOCK, BLOCK), stride=BLOCK)
    logarithms = coefficients.square_().mul_(EARLY / step**2).log1p_().sum(dim=1, keepdim=True)
    apart = block // BLOCK
    return F.avg_pool2d(logarithms, apart)[:, 0] * (apart**2 * DEAR / math.log(2.0))
