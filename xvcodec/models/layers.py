"""Building blocks shared by the model families: residual blocks, text attention, values that depend on the quality."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

QUALITIES = 64
KNOTS = 9
"""Quality-dependent vectors are stored at q = 0, 8, ..., 64 and interpolated: every q in between trains its neighbours."""


class Pointwise(nn.Module):
    """1x1 convolution [N, in, H, W] -> [N, out, H, W]; `zero` starts it at zero, so that it begins as no change.

    The weight is kept as a matrix [out, in], which is what matrix optimisers such as Muon work on.
    """

    def __init__(self, inputs: int, outputs: int, zero: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        if not zero:
            nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] -> [N, out, H, W]."""
        return F.conv2d(x, self.weight[:, :, None, None], self.bias)


class Block(nn.Module):
    """Depthwise 3x3, widen, SiLU, narrow, residual: 4 C^2 + 9 C multiplications per position.

    The leanest block on CPUs, where passes over memory cost as much as products (after DCVC-UF's depthwise blocks).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.widen = Pointwise(width, 2 * width)
        self.narrow = Pointwise(2 * width, width)
        with torch.no_grad():
            self.narrow.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        return x + self.narrow(F.silu(self.widen(self.depthwise(x))))


def both_sides(x: Tensor) -> Tensor:
    """SiLU of x and of -x, [N, C, H, W] -> [N, 2 C, H, W]: the activation in front of a head.

    SiLU alone can close: while a head is still noise, pushing its inputs far below zero lowers the loss, and a closed
    gate has no gradient to open again (measured: docs/experiments.md). One of the two sides is always open.
    """
    return torch.cat((F.silu(x), F.silu(-x)), dim=1)


class Knots(nn.Module):
    """A vector for each quality, piecewise linear in q. `start` [KNOTS, C] or [C] gives the first values.

    Beyond the last knot it stays as it is there; if it is made `endless`, it goes on as before that knot.
    """

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.endless = False
        values = start if start.dim() == 2 else start.unsqueeze(0).repeat(KNOTS, 1)
        self.values = nn.Parameter(values.clone())

    def forward(self, q: Tensor) -> Tensor:
        """q float, 0 or more, [N] -> [N, C, 1, 1], or [N, 1, h, w] -> [N, C, h, w]."""
        last = None if self.endless else KNOTS - 1.001
        place = (q.flatten(1) if q.dim() > 1 else q.unsqueeze(1)).div(8.0).clamp(0.0, last)
        low = place.floor().clamp(max=KNOTS - 2.0) if self.endless else place.floor()
        part = (place - low).unsqueeze(-1)
        index = low.long()
        vectors = self.values[index] * (1.0 - part) + self.values[index + 1] * part  # [N, places, C]
        size = q.shape[2:] if q.dim() > 1 else (1, 1)
        return vectors.transpose(1, 2).reshape(-1, self.values.shape[1], *size)


class TextAttention(nn.Module):
    """Positions ask, caption tokens answer: one-head cross-attention, added to the features (Cross-modal Video VAE).

    A learned null token stands first, so that no caption is an ordinary case. The output map starts at zero.
    """

    def __init__(self, width: int, text: int, inner: int = 64) -> None:
        super().__init__()
        self.query = Pointwise(width, inner)
        self.key = nn.Linear(text, inner)
        self.value = nn.Linear(text, inner)
        self.null = nn.Parameter(torch.randn(1, 1, text) * 0.5)
        self.out = Pointwise(inner, width, zero=True)

    def forward(self, x: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Attend.

        Args:
            x: [N, C, H, W].
            tokens: [N, T, text]; mask: [N, T] 1 where a token stands, 0 for padding.
        Returns:
            x plus what was read from the caption, [N, C, H, W].
        """
        count, _, height, width = x.shape
        memory = torch.cat((self.null.expand(count, 1, -1), tokens), dim=1)
        present = torch.cat((mask.new_ones(count, 1), mask), dim=1)
        query = self.query(x).flatten(2).transpose(1, 2)
        score = torch.matmul(query, self.key(memory).transpose(1, 2)) * (query.shape[-1] ** -0.5)
        score = score + (present.unsqueeze(1) - 1.0) * 1e4
        answer = torch.matmul(torch.softmax(score.float(), dim=-1).to(query.dtype), self.value(memory))
        return x + self.out(answer.transpose(1, 2).reshape(count, -1, height, width))


def dense(*parts: Tensor) -> Tensor:
    """Concatenated channels, channels last in memory: twice the speed of the blocks that follow."""
    kind = parts[0].device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    # each part on its own: concatenating mixed layouts takes ten times as long, and wide types twice
    return torch.cat([part.to(dtype, memory_format=torch.channels_last) for part in parts], dim=1)
