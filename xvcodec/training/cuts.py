"""How training cuts the patches of key frames (`xvcodec.models.cuts`): all at once, where the codec goes step by step."""

from __future__ import annotations

import torch
from torch import Tensor

from xvcodec.codec.quantise import SKIP
from xvcodec.models.cuts import CUTS, LUMA, cut_all
from xvcodec.training.rate import lowered, size_bits

INDEX = (0.9, 4.0)
"""What it takes to say that a patch is whole, and how it is cut, bits."""


@torch.no_grad()
def chosen(rest: Tensor, step: Tensor, expected: Tensor, table: Tensor, price: float) -> Tensor:
    """The cut of each patch that costs least with the tables that would code it as a whole.

    Args:
        rest: of a latent after its means, in quantiser steps; step: these in picture units; both [N, 384, h, w].
        expected, table: of the symbols of `rest` as it is, the same shape.
        price: squared steps that a bit is worth.
    Returns:
        numbers of cuts, whole float32 [N, 1, h, w].
    """
    tried = cut_all(rest, step).unflatten(1, (CUTS, -1))
    step, expected, table = (each[:, LUMA.to(each.device)].unsqueeze(1) for each in (step, expected, table))
    symbols = lowered(tried, expected, table, price)
    bits = torch.where(table < SKIP, 0.0, size_bits(symbols.abs(), expected)).sum(2)
    bits += bits.new_tensor(INDEX[:1] + INDEX[1:] * (CUTS - 1))[:, None, None]
    error = ((tried - symbols) * (step / step.mean(2, keepdim=True))).square().sum(2)
    return (error + price * bits).argmin(1, keepdim=True).float()
