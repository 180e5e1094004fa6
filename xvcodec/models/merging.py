"""Merging of a motion field: where blocks of a larger one may as well have what the field coder expects of them.

Passes over single blocks cannot find that: each of many small deviations pays alone, all of them together do not. After
the quadtrees of block codecs, whose large blocks are what they live on at low rates.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.block_search import Passes, amid, bits_of
from xvcodec.models.quincunx import Step, quincunx

LEVELS = ((5, 2), (3, 4), (1, 8))
"""First step of the quincunx whose residuals are left out, and side of the squares of blocks that this is asked for."""
FIRST_BITS = 2.0
"""What a vector costs, beside its size, that is not the one expected."""


def merged(search: Passes, field: Tensor) -> Tensor:
    """A field of 8x8 blocks [N, 2, h, w], with squares of 16, 32 and 64 pixels as expected where that costs less."""
    error = search.error(field.unsqueeze(0), 0)[0]
    for first, side in LEVELS:
        smooth, residuals = _expected_from(field, first)
        other = search.error(smooth.unsqueeze(0), 0)[0]
        gain = _squares(error + bits_of(residuals, FIRST_BITS) - other, side)
        field = torch.where(gain.unsqueeze(1) > 0, smooth, field)
        error = torch.where(gain > 0, other, error)
    return field


def _expected_from(field: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """What a field would be without residuals from step `first` of the quincunx on, and what these residuals are."""
    flat, residuals = field.flatten(2), torch.zeros_like(field).flatten(2)
    smooth = flat.clone()
    for step in quincunx(*field.shape[2:])[first:]:
        places = torch.from_numpy(step.places).to(field.device)
        residuals[..., places] = flat[..., places] - _expected(flat, step)
        smooth[..., places] = _expected(smooth, step)
    return smooth.view_as(field), residuals.view_as(field)


def _expected(flat: Tensor, step: Step) -> Tensor:
    """What the coder expects at a step's P places, [N, 2, P], of a field [N, 2, h * w]."""
    if step.parents is not None:
        return flat[..., torch.from_numpy(step.parents).to(flat.device)]
    assert step.neighbours is not None
    return amid(*(flat[..., torch.from_numpy(near).to(flat.device)] for near in step.neighbours))


def _squares(blocks: Tensor, side: int) -> Tensor:
    """Of values [N, h, w] the mean over each square of blocks, at all of its blocks; none lie beyond the edges."""
    height, width = blocks.shape[1:]
    padded = F.pad(blocks.unsqueeze(1), (0, -width % side, 0, -height % side))
    means = F.avg_pool2d(padded, side).repeat_interleave(side, 2).repeat_interleave(side, 3)
    return means[:, 0, :height, :width]
