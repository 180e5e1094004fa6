"""Training of what makes hints: rounded or noisy, now and then silent, and what they cost."""

from __future__ import annotations

import torch
from torch import Tensor

from xvcodec.codec.drawing import LOOKED_AT
from xvcodec.models.hints import Teller
from xvcodec.models.painter import unit_of
from xvcodec.models.quincunx import quincunx
from xvcodec.training.coded_clips import Pairs

NARROW = 0.2
"""Least mean size that bits are counted with of what neighbours do not tell."""


def tell(teller: Teller, pairs: Pairs, noisy: bool, silent: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Look as the encoder does.

    Args:
        noisy: whether hints have noise instead of being rounded, so that small ones are heard, too.
        silent: how often there are none.
    Returns:
        Hints of both pictures of each pair [2 N, C, h, w], and about how many bits they cost for each area.
    """
    q = pairs.quality[::2].repeat_interleave(LOOKED_AT).to(device)
    values = teller(pairs.looks_truth.to(device), pairs.looks_decoded.to(device), unit_of(q))
    values = values.view(-1, LOOKED_AT, *values.shape[1:]).mean(1)
    blurred = values + torch.rand_like(values) - 0.5
    hints = blurred if noisy else values + (values.round() - values).detach()
    heard = hints * (torch.rand(len(hints), 1, 1, 1, device=device) >= silent)
    return heard.repeat_interleave(2, dim=0), bits_of(blurred)


def bits_of(values: Tensor) -> Tensor:
    """What whole numbers would cost that are at most half off from `values` [N, C, h, w]: bits for an area, all C of them.

    In the order of `xvcodec.codec.quality_maps`, with Laplace distributions around what it expects, as wide as needed.
    """
    flat, spent = values.flatten(2), list[Tensor]()
    for step in quincunx(*values.shape[2:]):
        untold = flat[..., torch.from_numpy(step.places).to(flat.device)]
        if step.neighbours is not None:
            near = torch.stack([flat[..., torch.from_numpy(each).to(flat.device)] for each in step.neighbours])
            untold = untold - near.sort(dim=0)[0][1:3].mean(0)
        width = untold.abs().mean((0, 2), keepdim=True).detach().clamp_min(NARROW)
        above, below = (_below((untold + side) / width) for side in (0.5, -0.5))
        spent.append(-(above - below).clamp_min(1e-6).log2().sum(2))
    return torch.stack(spent).sum((0, 2)).mean() / flat.shape[2]


def _below(x: Tensor) -> Tensor:
    """Share of a Laplace distribution of mean size 1 below x, less one half."""
    return -0.5 * torch.sign(x) * torch.expm1(-x.abs())
