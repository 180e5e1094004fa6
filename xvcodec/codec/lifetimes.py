"""How much later pictures owe to each block of a key frame or anchor: what quality it deserves.

An error in a block comes back in all pictures that are predicted from it, so it pays to code long-lived blocks finer and
blocks that are soon covered or changed coarser (x264's macroblock tree, which walks back through a GOP in the same way).
Only the encoder does this; the decoder is told the qualities that come of it (`xvcodec.codec.quality_maps`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.coder import AREA
from xvcodec.models.warp import BLOCK, QUARTER, warp

NOISE = 1.0 / 255
"""Mean difference that every block has, so that flat ones do not count as worth nothing."""


def octaves(luma: Tensor, fields: Tensor, used: Sequence[int], shares: Sequence[Sequence[float]]) -> Tensor:
    """Walk back through a GOP.

    Args:
        luma: original pictures [T, 1, H, W] in [-0.5, 0.5], H and W multiples of AREA.
        fields: [n, 4, 3, H/8, W/8] quarter pixels and sides.
        used: how many frames lie between the anchors of each chunk; shares: their places, 0 to 1.
    Returns:
        [1 + n, H/AREA, W/AREA]: for the key frame and each anchor log2 of what depends on a block, itself included,
        over what it holds: 0 where nothing does.
    """
    worth = _worth(luma)
    owed = [torch.zeros_like(worth[0]) for _ in range(len(used) + 1)]
    at = [0]
    for count in used:
        at.append(at[-1] + count + 1)
    for chunk in reversed(range(len(used))):
        first, last = at[chunk], at[chunk + 1]
        before, after = luma[first : first + 1], luma[last : last + 1]
        anchor = fields[chunk, :1, :2]
        for slot in range(used[chunk]):
            now = first + 1 + slot
            correction, side = fields[chunk, 1 + slot : 2 + slot, :2], fields[chunk, 1 + slot, 2]
            forward = correction + torch.floor(anchor * shares[chunk][slot] + 0.5)
            past, future = warp(before, forward), warp(after, forward - anchor)
            weight = (1.0 + side.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)) / 2
            kept = _kept(luma[now : now + 1], future + (past - future) * weight, worth[now])
            owed[chunk] += _moved(kept * (1.0 + side) / 2, forward[0])
            owed[chunk + 1] += _moved(kept * (1.0 - side) / 2, (forward - anchor)[0])
        kept = _kept(after, warp(before, anchor), worth[last])
        owed[chunk] += _moved(kept * (1.0 + owed[chunk + 1] / worth[last]), anchor[0])
    blocks = AREA // BLOCK
    return torch.stack([torch.log2(1.0 + F.avg_pool2d(debt[None], blocks)[0] / F.avg_pool2d(worth[place][None], blocks)[0])
                        for place, debt in zip(at, owed, strict=True)])


def _worth(luma: Tensor) -> Tensor:
    """What each block holds: mean difference from its mean, [T, H/8, W/8]."""
    mean = F.avg_pool2d(luma, BLOCK).repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
    return F.avg_pool2d((luma - mean).abs_(), BLOCK)[:, 0] + NOISE


def _kept(now: Tensor, predicted: Tensor, worth: Tensor) -> Tensor:
    """How much of what blocks hold comes from their prediction, [H/8, W/8]."""
    return (worth - F.avg_pool2d((now - predicted).abs_(), BLOCK)[0, 0]).clamp_min(0.0)


def _moved(amount: Tensor, vectors: Tensor) -> Tensor:
    """Amounts [h, w] handed to the blocks of the reference that vectors [2, h, w] point to, shared among up to four."""
    height, width = amount.shape
    rows, columns = (torch.arange(size, device=amount.device, dtype=torch.float32) for size in (height, width))
    y = (rows[:, None] + vectors[1] / (BLOCK * QUARTER)).clamp(0, height - 1)
    x = (columns + vectors[0] / (BLOCK * QUARTER)).clamp(0, width - 1)
    top, left = y.floor(), x.floor()
    total = torch.zeros(height * width, device=amount.device)
    for down in (0, 1):
        for right in (0, 1):
            part = (1 - (y - top - down).abs()) * (1 - (x - left - right).abs())
            place = (top + down).clamp_max(height - 1) * width + (left + right).clamp_max(width - 1)
            total.index_add_(0, place.long().flatten(), (amount * part).flatten())
    return total.view(height, width)
