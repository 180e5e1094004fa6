"""Motion search of the encoder: hierarchical block matching with a smoothness price, all in batched torch.

The decoder never runs this. Costs are sums of absolute luma differences (8-bit levels) over a window twice the
block, plus `PRICE` per estimated bit of difference to the neighbourhood's vector, so that fields stay cheap to code.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.warp import BLOCK, QUARTER, warp

REACH = 8
"""Exhaustive search of +-8 pixels at quarter resolution: +-32 pixels of the picture."""
PRICE = 6.0
"""Luma levels (summed over a block) that one bit of vector must save: the usual choice near the middle qualities."""


def _half(luma: Tensor) -> Tensor:
    return F.avg_pool2d(luma, 2)


def _block_cost(difference: Tensor, block: int) -> Tensor:
    """Mean |difference| [N, 1, H, W] over windows of 2 blocks, as the sum over one 16x16 block: [N, h, w]."""
    pooled = F.avg_pool2d(difference.abs(), 2 * block, stride=block, padding=block // 2, count_include_pad=False)
    return pooled[:, 0] * (255.0 * BLOCK * BLOCK)


def _around(field: Tensor) -> Tensor:
    """Mean of the eight neighbours' vectors [N, 2, h, w]."""
    padded = F.pad(field, (1, 1, 1, 1), mode="replicate")
    return (F.avg_pool2d(padded, 3, stride=1) * 9.0 - field) / 8.0


def _price(field: Tensor, expected: Tensor) -> Tensor:
    """Estimated cost of coding `field` when `expected` is predicted, [N, h, w] in luma levels."""
    return PRICE * 2.0 * torch.log2(1.0 + (field - expected).abs()).sum(dim=1)


def _exhaustive(current: Tensor, reference: Tensor) -> Tensor:
    """Best whole-pixel vector of each block at quarter resolution, as quarter pixels of the full picture."""
    count, _, height, width = current.shape
    padded = F.pad(reference, (REACH, REACH, REACH, REACH), mode="replicate")
    best_cost: Tensor | None = None
    best = torch.zeros(count, 2, height * 4 // BLOCK, width * 4 // BLOCK)
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            moved = padded[:, :, REACH + dy : REACH + dy + height, REACH + dx : REACH + dx + width]
            cost = _block_cost(current - moved, BLOCK // 4) + PRICE * (abs(dx) + abs(dy)) ** 0.5 * 2.0
            vector = torch.tensor([dx, dy], dtype=torch.float32).view(1, 2, 1, 1) * (4 * QUARTER)
            if best_cost is None:
                best_cost, best = cost, vector.expand(count, 2, *cost.shape[-2:]).clone()
                continue
            better = cost < best_cost
            best_cost = torch.where(better, cost, best_cost)
            best = torch.where(better.unsqueeze(1), vector, best)
    return best


def _candidates(field: Tensor, step: float, spread: bool) -> Tensor:
    """The field, its eight neighbours at `step` quarter pixels, and (spread) the neighbours' own: [K, N, 2, h, w]."""
    offsets = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (-1, 1), (1, -1)]
    moved = [field + torch.tensor(o, dtype=field.dtype).view(1, 2, 1, 1) * step for o in offsets]
    if spread:
        padded = F.pad(field, (1, 1, 1, 1), mode="replicate")
        moved += [padded[:, :, 1:-1, :-2], padded[:, :, 1:-1, 2:], padded[:, :, :-2, 1:-1], padded[:, :, 2:, 1:-1]]
        moved.append(_around(field).round())
    return torch.stack(moved)


def _choose(candidates: Tensor, cost: Tensor, expected: Tensor) -> Tensor:
    """Pick per block the candidate [K, N, 2, h, w] with the least cost [K, N, h, w] plus price."""
    count = candidates.shape[0]
    price = torch.stack([_price(candidates[k], expected) for k in range(count)])
    winner = (cost + price).argmin(dim=0)
    index = winner.unsqueeze(0).unsqueeze(2).expand(1, -1, 2, -1, -1)
    return candidates.gather(0, index)[0]


def _match(reference: Tensor, field: Tensor, block: int) -> Tensor:
    """Reference luma [N, 1, H, W] warped by fields [K, N, 2, h, w] given in full-picture quarter pixels: [K*N, 1, H, W]."""
    count, batch = field.shape[:2]
    scaled = field.reshape(count * batch, *field.shape[2:]) * (block / BLOCK)
    return warp(reference.repeat(count, 1, 1, 1), scaled, "bilinear", block)


def search_forward(current: Tensor, reference: Tensor) -> Tensor:
    """Vectors that predict `current` from `reference`.

    Args:
        current, reference: luma [N, 1, H, W] in [-0.5, 0.5], H and W multiples of 16.
    Returns:
        [N, 2, H/16, W/16] float holding whole quarter pixels.
    """
    half = (_half(current), _half(reference))
    field = _exhaustive(_half(half[0]), _half(half[1]))
    for step, (now, before), block, spread in (
        (8.0, half, BLOCK // 2, True), (4.0, half, BLOCK // 2, True), (2.0, half, BLOCK // 2, True),
        (1.0, (current, reference), BLOCK, True),
    ):
        options = _candidates(field, step, spread)
        difference = now.repeat(options.shape[0], 1, 1, 1) - _match(before, options, block)
        cost = _block_cost(difference, block).view(options.shape[0], *field.shape[:1], *field.shape[2:])
        field = _choose(options, cost, _around(field))
    return field


def search_between(current: Tensor, before: Tensor, after: Tensor, anchor: Tensor, share: float) -> Tensor:
    """Corrections to the straight path for a frame that lies between two decoded ones.

    The forward vector is share * anchor + correction; the backward one is the forward one minus anchor.

    Args:
        current, before, after: luma [N, 1, H, W] in [-0.5, 0.5].
        anchor: [N, 2, h, w] quarter pixels, from `after` to `before`.
        share: position of the frame between `before` (0) and `after` (1).
    Returns:
        The correction [N, 2, h, w], whole quarter pixels.
    """
    straight = (anchor * share).round()
    field = torch.zeros_like(anchor)
    half = (_half(current), _half(before), _half(after))
    zero = torch.zeros_like(field)
    for step, (now, past, future), block in ((6.0, half, BLOCK // 2), (2.0, half, BLOCK // 2),
                                             (1.0, (current, before, after), BLOCK)):
        options = _candidates(field, step, step > 1.0)
        forward = options + straight
        blend = (_match(past, forward, block) + _match(future, forward - anchor, block)) * 0.5
        cost = _block_cost(now.repeat(options.shape[0], 1, 1, 1) - blend, block)
        cost = cost.view(options.shape[0], *field.shape[:1], *field.shape[2:])
        field = _choose(options, cost, (_around(field) + zero) * 0.5)
    return field
