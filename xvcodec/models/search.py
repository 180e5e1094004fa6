"""Motion search of the encoder: hierarchical block matching in batched torch, counted in bits.

The decoder never runs this. A block costs the estimated bits of its vector and, on the way, its sum of absolute luma
differences at `PRICE` levels a bit; at full resolution what `xvcodec.models.matching.coded_bits` says. Vectors are found for
16x16 blocks, from a quarter of the resolution to the whole; then 8x8 blocks leave their 16x16 block's vector where that
pays. Every pass also offers each block its neighbours' vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.coder import nominal_step
from xvcodec.models.context import PASSES, neighbours, pass_of
from xvcodec.models.matching import FAR, coded_bits, levels, match
from xvcodec.models.warp import BLOCK, BLURS, QUARTER, blurred

REACH = 8
"""Exhaustive search of +-8 pixels at quarter resolution, +-32 pixels of the picture, for what moves on its own."""
FAR_REACH, FAR_WINDOW = 12, 8
"""And of +-12 pixels at level FAR, +-96 of the picture, in windows of 64 x 64 pixels, for fast and for shaken cameras."""
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
SIDE_BITS = 4.0
"""What a 16x16 block costs more that is predicted from one side alone, or is blurred."""
Predict = Callable[[Tensor, int], Tensor]
"""(fields [K, N, 2, h, w] in quarter pixels of the picture, level) -> predicted luma of that level, [K * N, 1, H, W]."""


def step_of(quality: float) -> float:
    """Quantiser step of pictures coded at `quality` (crf), which the search is told."""
    return float(nominal_step(torch.tensor(quality)))


def _expected(field: Tensor) -> Tensor:
    """About what the field coder would predict of each vector from those beside, above and below, [N, 2, h, w]."""
    around = F.pad(field, (1, 1, 1, 1), mode="replicate")
    return _amid(around[:, :, 1:-1, :-2], around[:, :, 1:-1, 2:], around[:, :, :-2, 1:-1], around[:, :, 2:, 1:-1])


def _amid(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Mean of the middle two of four, rounded towards zero, as the field coder predicts."""
    one = torch.maximum(torch.minimum(a, b), torch.minimum(c, d))
    other = torch.minimum(torch.maximum(a, b), torch.maximum(c, d))
    return ((one + other) * 0.5).trunc()


def _bits(difference: Tensor, first: float) -> Tensor:
    """Estimated bits of vectors that differ by `difference` [..., 2, h, w] from what is expected, [..., h, w]."""
    size = difference.abs()
    return 2.0 * torch.log2(1.0 + size).sum(dim=-3) + first * (size.amax(dim=-3) > 0)


def _split(field: Tensor) -> Tensor:
    """A field of 16x16 blocks for 8x8 blocks."""
    return F.interpolate(field, scale_factor=float(BLOCKS_APART), mode="nearest")


def _exhaustive(current: Tensor, reference: Tensor, level: int, reach: int, window: int, step: float) -> Tensor:
    """Best vector of each 16x16 block on luma of a level, quarter pixels of the picture [N, 2, h, w].

    A block is judged by the `window` x `window` pixels of that level around it: true motion rather than the best match of
    a few pixels.
    """
    block = COARSE >> level
    count, _, height, width = current.shape
    padded = F.pad(reference, (reach, reach, reach, reach), mode="replicate")
    best_cost = current.new_full((count, height // block, width // block), float("inf"))
    best = current.new_zeros(count, 2, height // block, width // block)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            moved = padded[:, :, reach + dy : reach + dy + height, reach + dx : reach + dx + width]
            mean = F.avg_pool2d((current - moved).abs_(), window, block, (window - block) // 2, count_include_pad=False)
            cost = mean[:, 0] * (255.0 * COARSE**2 / PRICE / step) + 2.0 * (abs(dx) + abs(dy)) ** 0.5
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
class _Search:
    """What all passes over one frame share."""

    current: list[Tensor]  # luma by level
    predict: Predict
    step: float  # of the quantiser

    def better(self, fields: Sequence[Tensor], level: int) -> Tensor:
        """For each 16x16 block the cheapest of some fields."""
        options = torch.stack(list(fields))
        return _cheapest(options, self._error(options, level) + _bits(options, 0.5))

    def coarse(self, field: Tensor, level: int, step: float) -> Tensor:
        """One pass over a field of 16x16 blocks, black squares first, then white, so that vectors settle."""
        height, width = field.shape[-2:]
        rows, columns = (torch.arange(size, device=field.device) for size in (height, width))
        for colour in (0, 1):
            options = _candidates(field, step)
            cost = self._error(options, level) + _bits(options - _expected(field), 0.5)
            field = torch.where((rows.unsqueeze(1) + columns) % 2 == colour, _cheapest(options, cost), field)
        return field

    def settle(self, field: Tensor) -> Tensor:
        """A pass in the order of coding: a vector of a 16x16 block becomes what the coder expects where that is worth it."""
        order = pass_of(field.shape[-2], field.shape[-1], field.device)
        error = self._error(field.unsqueeze(0), 0)[0]
        for number in range(_FIRST_SETTLED, PASSES):
            known = (order < number).to(field.dtype)
            expected = _amid(*neighbours(field * known, known, number))
            cost = self._error(expected.unsqueeze(0), 0)[0]
            cheaper = (order == number) & (cost < error + _bits(field - expected, SETTLE_BITS))
            field, error = torch.where(cheaper.unsqueeze(1), expected, field), torch.where(cheaper, cost, error)
        return field

    def fine(self, field: Tensor, parent: Tensor, level: int, step: float) -> Tensor:
        """One pass over a field of 8x8 blocks; the first of each 16x16 block stays with `parent`."""
        options = torch.cat((_candidates(field, step), parent.unsqueeze(0)))
        cost = self._error(options, level) + _bits(options - parent, SPLIT_BITS)
        field = _cheapest(options, cost)
        field[:, :, ::BLOCKS_APART, ::BLOCKS_APART] = parent[:, :, ::BLOCKS_APART, ::BLOCKS_APART]
        return field

    def _error(self, options: Tensor, level: int) -> Tensor:
        """What blocks cost without their vectors, bits [K, N, h, w]."""
        tries, count, _, height, width = options.shape
        now = self.current[level]
        block = now.shape[-1] // width
        difference = now.unsqueeze(0).expand(tries, *now.shape).flatten(0, 1) - self.predict(options, level)
        if level == 0:
            cost = coded_bits(difference, self.step, block)
        else:
            cost = F.avg_pool2d(difference.abs_(), block) * (255.0 * (block << level) ** 2 / PRICE / self.step)
        return cost.view(tries, count, height, width)


def _cheapest(options: Tensor, cost: Tensor) -> Tensor:
    """Of options [K, N, 2, h, w] the one with the least cost [K, N, h, w] for each block."""
    winner = cost.argmin(dim=0, keepdim=True).unsqueeze(2).expand(1, *options.shape[1:])
    return options.gather(0, winner)[0]


def search_forward(current: Tensor, reference: Tensor, step: float) -> Tensor:
    """Vectors that predict `current` from `reference`, and how much their blocks are blurred.

    Args:
        current, reference: luma [N, 1, H, W] in [-0.5, 0.5], H and W multiples of 16.
        step: of the quantiser that `current` will be coded with, see `step_of`.
    Returns:
        [N, 3, H/8, W/8]: whole quarter pixels, and 1 where a block is blurred a little, -1 strongly, else 0.
    """
    now, before = levels(current), levels(reference)
    search = _Search(now, lambda fields, level: match(before, fields, level), step)
    near = _exhaustive(now[2], before[2], 2, REACH, 2 * COARSE // 4, step)
    far = search.coarse(_exhaustive(now[FAR], before[FAR], FAR, FAR_REACH, FAR_WINDOW, step), 2, 16.0)
    field = search.better((near, far), 2)
    for level, move in ((1, 8.0), (1, 4.0), (1, 2.0), (0, 1.0)):
        field = search.coarse(field, level, move)
    field = parent = _split(search.settle(field))
    for level, move in ((1, 8.0), (1, 4.0), (1, 2.0), (0, 1.0)):
        field = search.fine(field, parent, level, move)
    sharp = match(before, field.unsqueeze(0), 0)
    return torch.cat((field, _choice(current, [sharp, *(blurred(sharp, reach) for reach in BLURS)], step)), dim=1)


def search_between(current: Tensor, before: Tensor, after: Tensor, anchor: Tensor, share: float, step: float) -> Tensor:
    """Corrections to the straight path for a frame that lies between two decoded ones, and the side to predict from.

    The forward vector is share * anchor + correction; the backward one is the forward one minus anchor.

    Args:
        current, before, after: luma [N, 1, H, W] in [-0.5, 0.5].
        anchor: [N, 2, h, w] quarter pixels, from `after` to `before`.
        share: position of the frame between `before` (0) and `after` (1).
        step: of the quantiser that `current` will be coded with, see `step_of`.
    Returns:
        [N, 3, h, w]: the correction, whole quarter pixels, and 1 where `before` alone is better, -1 where `after` is.
    """
    now, past, future = levels(current), levels(before), levels(after)
    straight = torch.floor(anchor * share + 0.5)

    def both(fields: Tensor, level: int) -> Tensor:
        if fields.shape[-1] != anchor.shape[-1]:
            fields = torch.stack([_split(field) for field in fields])
        forward = fields + straight
        return torch.lerp(match(past, forward, level), match(future, forward - anchor, level), 0.5)

    search = _Search(now, both, step)
    field = torch.zeros_like(anchor[:, :, ::BLOCKS_APART, ::BLOCKS_APART])
    middle = both(field.unsqueeze(0), FAR)
    far = search.coarse(_exhaustive(now[FAR], middle, FAR, FAR_REACH // 2, FAR_WINDOW, step), 2, 16.0)
    field = search.better((field, far), 1)
    for move in (6.0, 2.0):
        field = search.coarse(field, 1, move)
    field = parent = _split(search.settle(field))
    for level, move in ((1, 4.0), (0, 1.0)):
        field = search.fine(field, parent, level, move)
    forward = (field + straight).unsqueeze(0)
    guesses = [both(field.unsqueeze(0), 0), match(past, forward, 0), match(future, forward - anchor, 0)]
    return torch.cat((field, _choice(current, guesses, step)), dim=1)


def _choice(current: Tensor, guesses: Sequence[Tensor], step: float) -> Tensor:
    """The best of three predictions as 0, 1, -1, [N, 1, h, w]: first for 16x16 blocks, whose 8x8 parts may differ."""
    costs = torch.stack([coded_bits(current - guess, step, BLOCK).unsqueeze(1) for guess in guesses])
    together = torch.stack([F.avg_pool2d(cost, BLOCKS_APART) * BLOCKS_APART**2 for cost in costs])
    together[1:] += SIDE_BITS
    parent = _split(together.argmin(dim=0).float()).long()
    alone = costs + SPLIT_BITS * (torch.arange(3, device=current.device).view(3, 1, 1, 1, 1) != parent)
    choice = alone.argmin(dim=0)
    choice[:, :, ::BLOCKS_APART, ::BLOCKS_APART] = parent[:, :, ::BLOCKS_APART, ::BLOCKS_APART]
    return (choice == 1).float() - (choice == 2).float()
