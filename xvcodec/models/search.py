"""Motion search of the encoder: hierarchical block matching in batched torch, counted in bits. The decoder never runs this.

Vectors are found for 16x16 blocks, from an eighth of the resolution to the whole; then 8x8 blocks leave their 16x16
block's vector where that pays, and, if asked for, squares take what the coder expects (`xvcodec.models.merging`). Half the
resolution tells a vector to about half a pixel: the rest is found on the whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.block_search import BLOCKS_APART, COARSE, SPLIT_BITS, Passes, exhaustive, split
from xvcodec.models.coder import nominal_step
from xvcodec.models.matching import Step, coded_bits
from xvcodec.models.merging import merged
from xvcodec.models.reference import FAR, Reference, levels
from xvcodec.models.warp import BLOCK, BLURS, blurred

REACH = 8
"""Exhaustive search of +-8 pixels at quarter resolution, +-32 pixels of the picture, for what moves on its own."""
FAR_REACH, FAR_WINDOW = 12, 8
"""And of +-12 pixels at level FAR, +-96 of the picture, in windows of 64 x 64 pixels, for fast and for shaken cameras."""
SIDE_BITS = 4.0
"""What a 16x16 block costs more that is predicted from one side alone, or is blurred."""


def step_of(quality: float) -> float:
    """Quantiser step of pictures coded at `quality` (crf), which the search is told."""
    return float(nominal_step(torch.tensor(quality)))


def search_forward(current: Tensor, reference: Tensor, step: Step, merge: bool = False) -> Tensor:
    """Vectors that predict `current` from `reference`, and how much their blocks are blurred.

    Args:
        current, reference: luma [N, 1, H, W] in [-0.5, 0.5], H and W multiples of 16.
        step: of the quantiser that `current` will be coded with, see `step_of`.
        merge: whether squares of blocks may give up their deviations together.
    Returns:
        [N, 3, H/8, W/8]: whole quarter pixels, and 1 where a block is blurred a little, -1 strongly, else 0.
    """
    now, before = levels(current), Reference.of(reference)
    search = Passes(now, before.match, step)
    near = exhaustive(now[2], before.levels[2], 2, REACH, 2 * COARSE // 4, step)
    far = search.coarse(exhaustive(now[FAR], before.levels[FAR], FAR, FAR_REACH, FAR_WINDOW, step), 2, 16.0)
    field = search.better((near, far), 2)
    for level, move in ((1, 8.0), (1, 4.0), (1, 2.0), (0, 4.0), (0, 2.0), (0, 1.0), (0, 1.0)):
        field = search.coarse(field, level, move)
    field = parent = split(search.settle(field))
    for level, move in ((1, 8.0), (1, 4.0), (1, 2.0), (0, 2.0), (0, 1.0), (0, 1.0)):
        field = search.fine(field, parent, level, move)
    field = merged(search, field) if merge else field
    sharp = before.match(field.unsqueeze(0), 0)
    return torch.cat((field, _choice(current, [sharp, *(blurred(sharp, reach) for reach in BLURS)], step)), dim=1)


def search_between(current: Tensor, before: Tensor, after: Tensor, anchor: Tensor, share: float, step: Step,
                   merge: bool = False) -> Tensor:
    """Corrections to the straight path for a frame that lies between two decoded ones, and the side to predict from.

    The forward vector is share * anchor + correction; the backward one is the forward one minus anchor.

    Args:
        current, before, after: luma [N, 1, H, W] in [-0.5, 0.5].
        anchor: [N, 2, h, w] quarter pixels, from `after` to `before`.
        share: position of the frame between `before` (0) and `after` (1).
        step: of the quantiser that `current` will be coded with, see `step_of`.
        merge: whether squares of blocks may give up their deviations together.
    Returns:
        [N, 3, h, w]: the correction, whole quarter pixels, and 1 where `before` alone is better, -1 where `after` is.
    """
    now, past, future = levels(current), Reference.of(before), Reference.of(after)
    straight = torch.floor(anchor * share + 0.5)

    def both(fields: Tensor, level: int) -> Tensor:
        if fields.shape[-1] != anchor.shape[-1]:
            fields = torch.stack([split(field) for field in fields])
        forward = fields + straight
        return torch.lerp(past.match(forward, level), future.match(forward - anchor, level), 0.5)

    search = Passes(now, both, step)
    field = torch.zeros_like(anchor[:, :, ::BLOCKS_APART, ::BLOCKS_APART])
    middle = both(field.unsqueeze(0), FAR)
    far = search.coarse(exhaustive(now[FAR], middle, FAR, FAR_REACH // 2, FAR_WINDOW, step), 2, 16.0)
    field = search.better((field, far), 1)
    for level, move in ((1, 6.0), (1, 2.0), (0, 2.0), (0, 1.0)):
        field = search.coarse(field, level, move)
    field = parent = split(search.settle(field))
    for level, move in ((1, 4.0), (0, 2.0), (0, 1.0)):
        field = search.fine(field, parent, level, move)
    field = merged(search, field) if merge else field
    forward = (field + straight).unsqueeze(0)
    guesses = [both(field.unsqueeze(0), 0), past.match(forward, 0), future.match(forward - anchor, 0)]
    return torch.cat((field, _choice(current, guesses, step)), dim=1)


def _choice(current: Tensor, guesses: Sequence[Tensor], step: Step) -> Tensor:
    """The best of three predictions as 0, 1, -1, [N, 1, h, w]: first for 16x16 blocks, whose 8x8 parts may differ."""
    costs = torch.stack([coded_bits(current - guess, step, BLOCK).unsqueeze(1) for guess in guesses])
    together = torch.stack([F.avg_pool2d(cost, BLOCKS_APART) * BLOCKS_APART**2 for cost in costs])
    together[1:] += SIDE_BITS
    parent = split(together.argmin(dim=0).float()).long()
    alone = costs + SPLIT_BITS * (torch.arange(3, device=current.device).view(3, 1, 1, 1, 1) != parent)
    choice = alone.argmin(dim=0)
    choice[:, :, ::BLOCKS_APART, ::BLOCKS_APART] = parent[:, :, ::BLOCKS_APART, ::BLOCKS_APART]
    return (choice == 1).float() - (choice == 2).float()
