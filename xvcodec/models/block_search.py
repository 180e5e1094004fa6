"""Passes over fields of blocks: candidates around each vector, its neighbours', and the cheapest of all.

A block costs the estimated bits of its vector and, on the way, its sum of absolute luma differences at `PRICE` levels a bit;
at full resolution what `xvcodec.models.matching.coded_bits` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.context import PASSES, neighbours, pass_of
from xvcodec.models.matching import Step, coded_bits, step_at
from xvcodec.models.warp import BLOCK, QUARTER

COARSE = 16
"""Block size of the first passes: `BLOCKS_APART` blocks of the field a side."""
BLOCKS_APART = COARSE // BLOCK
SPLIT_BITS = 5.0
"""What a block costs that leaves the vector (or the side) of its 16x16 block."""
PRICE = 150.0
"""Luma levels that one bit of vector must save, for a quantiser step of 1. Measured in files at crf 52 (66, 100, 150, 220):
31.54, 31.49, 31.41, 31.32 dB with 0.0711, 0.0681, 0.0664, 0.0659 bits a pixel, where 1 dB is worth 25 % of the bits."""
SETTLE_BITS = 1.0
"""What a vector costs, beside its size, that is not the one expected."""
_FIRST_SETTLED = 3
"""Passes 1 and 2 of the quincunx over 16x16 blocks are beyond the field coder's lattice, which begins at every fourth."""
Predict = Callable[[Tensor, int], Tensor]
"""(fields [K, N, 2, h, w] in quarter pixels of the picture, level) -> predicted luma of that level, [K * N, 1, H, W]."""


def _expected(field: Tensor) -> Tensor:
    """About what the field coder would predict of each vector from those beside, above and below, [N, 2, h, w]."""
    around = F.pad(field, (1, 1, 1, 1), mode="replicate")
    return amid(around[:, :, 1:-1, :-2], around[:, :, 1:-1, 2:], around[:, :, :-2, 1:-1], around[:, :, 2:, 1:-1])


def amid(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Mean of the middle two of four, rounded towards zero, as the field coder predicts."""
    one = torch.maximum(torch.minimum(a, b), torch.minimum(c, d))
    other = torch.minimum(torch.maximum(a, b), torch.maximum(c, d))
    return ((one + other) * 0.5).trunc()


def bits_of(difference: Tensor, first: float) -> Tensor:
    """Estimated bits of vectors that differ by `difference` [..., 2, h, w] from what is expected, [..., h, w]."""
    size = difference.abs()
    return 2.0 * torch.log2(1.0 + size).sum(dim=-3) + first * (size.amax(dim=-3) > 0)


def split(field: Tensor) -> Tensor:
    """A field of 16x16 blocks for 8x8 blocks."""
    return F.interpolate(field, scale_factor=float(BLOCKS_APART), mode="nearest")


def exhaustive(current: Tensor, reference: Tensor, level: int, reach: int, window: int, step: Step) -> Tensor:
    """Best vector of each 16x16 block on luma of a level, quarter pixels of the picture [N, 2, h, w].

    A block is judged by the `window` x `window` pixels of that level around it: true motion rather than the best match of
    a few pixels.
    """
    block = COARSE >> level
    count, _, height, width = current.shape
    padded = F.pad(reference, (reach, reach, reach, reach), mode="replicate")
    price = 255.0 * COARSE**2 / PRICE / step_at(step, height // block, width // block)
    best_cost = current.new_full((count, height // block, width // block), float("inf"))
    best = current.new_zeros(count, 2, height // block, width // block)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            moved = padded[:, :, reach + dy : reach + dy + height, reach + dx : reach + dx + width]
            mean = F.avg_pool2d((current - moved).abs_(), window, block, (window - block) // 2, count_include_pad=False)
            cost = mean[:, 0] * price + 2.0 * (abs(dx) + abs(dy)) ** 0.5
            better = cost < best_cost
            best_cost = torch.where(better, cost, best_cost)
            vector = current.new_tensor([dx, dy]).view(1, 2, 1, 1) * float(QUARTER << level)
            best = torch.where(better.unsqueeze(1), vector, best)
    return best


def _candidates(field: Tensor, step: float) -> Tensor:
    """Each vector, its eight surroundings at `step`, what is expected, and four neighbours': [K, N, 2, h, w]."""
    steps = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (-1, 1), (1, -1)]
    options = [field + field.new_tensor(move).view(1, 2, 1, 1) * step for move in steps]
    around = F.pad(field, (1, 1, 1, 1), mode="replicate")
    options += [_expected(field), around[:, :, 1:-1, :-2], around[:, :, 1:-1, 2:], around[:, :, :-2, 1:-1],
                around[:, :, 2:, 1:-1]]
    return torch.stack(options)


@dataclass(frozen=True)
class Passes:
    """What all passes over one frame share."""

    current: list[Tensor]  # luma by level
    predict: Predict
    step: Step  # of the quantiser

    def better(self, fields: Sequence[Tensor], level: int) -> Tensor:
        """For each 16x16 block the cheapest of some fields."""
        options = torch.stack(list(fields))
        return _cheapest(options, self.error(options, level) + bits_of(options, 0.5))

    def coarse(self, field: Tensor, level: int, step: float) -> Tensor:
        """One pass over a field of 16x16 blocks, black squares first, then white, so that vectors settle."""
        height, width = field.shape[-2:]
        rows, columns = (torch.arange(size, device=field.device) for size in (height, width))
        for colour in (0, 1):
            options = _candidates(field, step)
            cost = self.error(options, level) + bits_of(options - _expected(field), 0.5)
            field = torch.where((rows.unsqueeze(1) + columns) % 2 == colour, _cheapest(options, cost), field)
        return field

    def settle(self, field: Tensor) -> Tensor:
        """A pass in the order of coding: a vector of a 16x16 block becomes what the coder expects where that is worth it."""
        order = pass_of(field.shape[-2], field.shape[-1], field.device)
        error = self.error(field.unsqueeze(0), 0)[0]
        for number in range(_FIRST_SETTLED, PASSES):
            known = (order < number).to(field.dtype)
            expected = amid(*neighbours(field * known, known, number))
            cost = self.error(expected.unsqueeze(0), 0)[0]
            cheaper = (order == number) & (cost < error + bits_of(field - expected, SETTLE_BITS))
            field, error = torch.where(cheaper.unsqueeze(1), expected, field), torch.where(cheaper, cost, error)
        return field

    def fine(self, field: Tensor, parent: Tensor, level: int, step: float) -> Tensor:
        """One pass over a field of 8x8 blocks; the first of each 16x16 block stays with `parent`."""
        options = torch.cat((_candidates(field, step), parent.unsqueeze(0)))
        cost = self.error(options, level) + bits_of(options - parent, SPLIT_BITS)
        field = _cheapest(options, cost)
        field[:, :, ::BLOCKS_APART, ::BLOCKS_APART] = parent[:, :, ::BLOCKS_APART, ::BLOCKS_APART]
        return field

    def error(self, options: Tensor, level: int) -> Tensor:
        """What blocks cost without their vectors, bits [K, N, h, w]."""
        tries, count, _, height, width = options.shape
        now = self.current[level]
        block = now.shape[-1] // width
        difference = now.unsqueeze(0).expand(tries, *now.shape).flatten(0, 1) - self.predict(options, level)
        if level == 0:
            cost = coded_bits(difference, self.step, block)
        else:
            price = 255.0 * (block << level) ** 2 / PRICE / step_at(self.step, height, width)
            cost = F.avg_pool2d(difference.abs_(), block)[:, 0] * price
        return cost.view(tries, count, height, width)


def _cheapest(options: Tensor, cost: Tensor) -> Tensor:
    """Of options [K, N, 2, h, w] the one with the least cost [K, N, h, w] for each block."""
    winner = cost.argmin(dim=0, keepdim=True).unsqueeze(2).expand(1, *options.shape[1:])
    return options.gather(0, winner)[0]
