"""A transformer layer whose attention stays within small windows: its cost grows with the picture, not with its square."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.layers import Pointwise

WINDOW = 4
"""Positions on a side of a window of attention."""
HEAD = 32
"""Channels of a head of attention; narrower features have one head."""


class WindowLayer(nn.Module):
    """Attention in windows, then two layers at each position, both added to the features. Starts as no change."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD)
        self.place = nn.Parameter(torch.zeros(1, width, WINDOW, WINDOW))
        self.query = Pointwise(width, 3 * width)
        self.out = Pointwise(width, width, zero=True)
        self.widen = Pointwise(width, 2 * width)
        self.narrow = Pointwise(2 * width, width, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] -> the same shape, h and w multiples of WINDOW, C one of the heads."""
        place = self.place.to(x.dtype).repeat(1, 1, x.shape[2] // WINDOW, x.shape[3] // WINDOW)
        x = x + self.out(self._attend(self.query(_even(x) + place), x.shape))
        return x + self.narrow(F.silu(self.widen(_even(x))))

    def _attend(self, asked: Tensor, shape: torch.Size) -> Tensor:
        """Queries, keys and values [N, 3 C, h, w] -> what each position is answered, of `shape` [N, C, h, w]."""
        count, width, height, wide = shape
        rows, columns, size = height // WINDOW, wide // WINDOW, width // self.heads
        parts = asked.permute(0, 2, 3, 1).reshape(count, rows, WINDOW, columns, WINDOW, 3, self.heads, size)
        parts = parts.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, count * rows * columns, self.heads, WINDOW**2, size)
        query, key, value = parts[0], parts[1], parts[2]
        score = torch.matmul(query, key.transpose(2, 3)) * size**-0.5
        answer = torch.matmul(torch.softmax(score.float(), dim=-1).to(value.dtype), value)
        answer = answer.reshape(count, rows, columns, self.heads, WINDOW, WINDOW, size)
        return answer.permute(0, 1, 4, 2, 5, 3, 6).reshape(count, height, wide, width).permute(0, 3, 1, 2)


def _even(x: Tensor) -> Tensor:
    """Features of every position with a mean square of one (RMS normalisation)."""
    return x * torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-4).to(x.dtype)
