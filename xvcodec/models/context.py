"""What decoded neighbours tell about a patch: means for the low frequencies of key frames, in seven passes.

Patches are decoded in the order of a quincunx: every eighth first, then, as the spacing halves, those amid four known
diagonal neighbours and those amid four known direct ones; each pass expects the leading channels to be a linear
function of the neighbours'. Means only, and they are floats: no table depends on them (after DCVC-UF's means-only spatial
prior; tables come from integers, `xvcodec.codec.coefficients`). Measured: 12 to 27 % fewer bits for the patches concerned.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

SPACING = 8
PASSES = 7
"""The first pass, which has no neighbours, and two for each halving of the spacing."""
DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
DIRECT = ((-1, 0), (1, 0), (0, -1), (0, 1))


def pass_of(height: int, width: int, device: torch.device) -> Tensor:
    """Number of the pass in which each patch is decoded, [h, w] from 0 to PASSES - 1."""
    rows, columns = (torch.arange(size, device=device) % SPACING for size in (height, width))
    return _cell().to(device)[rows][:, columns]


def _cell() -> Tensor:
    """Pass of each patch of SPACING x SPACING."""
    rows, columns = torch.meshgrid(torch.arange(SPACING), torch.arange(SPACING), indexing="ij")
    cell = torch.zeros(SPACING, SPACING, dtype=torch.int64)
    for number in range(1, PASSES):
        spacing = _spacing(number)
        odd_row, odd_column = rows // spacing % 2 == 1, columns // spacing % 2 == 1
        fits = odd_row & odd_column if number % 2 else odd_row ^ odd_column
        cell[fits & (rows % spacing == 0) & (columns % spacing == 0)] = number
    return cell


def _spacing(number: int) -> int:
    return SPACING >> (number + 1) // 2


class Context(nn.Module):
    """Means of the leading channels of a latent, out of what the neighbours of each patch tell."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.zeros(PASSES - 1, channels, 4 * channels))

    def forward(self, like: Tensor, step: Tensor, decide: Callable[[Tensor], Tensor]) -> Tensor:
        """Go through the passes.

        Args:
            like: a tensor [N, more, h, w] of the latent's size and device.
            step: quantiser steps of the leading channels, [N, C, h, w].
            decide: given means as they are known in a pass, the symbols [N, C, h, w]; used where that pass is.
        Returns:
            means of the leading channels in quantiser steps, [N, C, h, w].
        """
        with torch.autocast(like.device.type, enabled=False):
            step = step.float()
            order = pass_of(like.shape[-2], like.shape[-1], like.device)
            means = value = torch.zeros_like(like[:, : self.channels], dtype=torch.float32)
            for number in range(PASSES):
                here = order == number
                if number:
                    known = (order < number).to(means.dtype)
                    means = torch.where(here, self.expect(value, known, number) / step, means)
                value = torch.where(here, (decide(means) + means) * step, value)
            return means

    def expect(self, value: Tensor, known: Tensor, number: int) -> Tensor:
        """Leading channels amid their neighbours: [N, C, h, w] in picture units, right where pass `number` is."""
        near = torch.cat(neighbours(value, known, number), dim=1)
        return nn.functional.conv2d(near, self.weight[number - 1][:, :, None, None])


def neighbours(value: Tensor, known: Tensor, number: int) -> list[Tensor]:
    """The four neighbours of each patch in a pass; one that is not known is the mean of those that are.

    Args:
        value: [N, C, h, w], zero where `known` [h, w] is zero.
    Returns:
        four of [N, C, h, w].
    """
    moves = [(y * _spacing(number), x * _spacing(number)) for y, x in (DIAGONAL if number % 2 else DIRECT)]
    there, values = _moved(known[None, None], moves), _moved(value, moves)
    mean = (values[0] + values[1] + values[2] + values[3]) / (there[0] + there[1] + there[2] + there[3]).clamp_min(1.0)
    return [each + (1.0 - present) * mean for each, present in zip(values, there, strict=True)]


def _moved(plane: Tensor, moves: list[tuple[int, int]]) -> list[Tensor]:
    """What lies so many rows down and columns right of each place, for each move; zero beyond the edges."""
    reach = SPACING // 2
    padded = nn.functional.pad(plane, (reach, reach, reach, reach))
    return [padded[..., reach + down : down - reach or None, reach + right : right - reach or None] for down, right in moves]
