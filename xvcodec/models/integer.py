"""The integer network that chooses probability tables (design section 4: only integers may choose a table).

Weights are int8, activations are integers in [0, 31], every layer divides by 64 and rounds half up. Evaluated as
float32 products of integers it gives the same result on every device, because no partial sum reaches 2^24; baking
refuses weights that could pass the limit. Training (`ScaleNet`) runs the same arithmetic with straight-through
gradients, so that there is no gap to the baked network (`IntegerScales`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.models.layers import KNOTS, QUALITIES, Knots

UNIT = 64.0
"""Weights and biases are multiples of 1/64."""
TOP = 31.0
"""Largest activation; hyper-latents are clamped to +-TOP before they enter."""
LIMIT = float(2**24)
TABLES = 64
"""Scale indices run from 0 to TABLES - 1."""


def straight(exact: Tensor, smooth: Tensor) -> Tensor:
    """The value of `exact` with the gradient of `smooth`."""
    return smooth + (exact - smooth).detach()


def _whole(weight: Tensor) -> Tensor:
    return straight((weight * UNIT).round().clamp(-127.0, 127.0), weight * UNIT)


class IntegerLayer(nn.Module):
    """Convolution in exact integer arithmetic: floor((w . a + b + 32) / 64), clamped to [0, top]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, spread: float, top: float = TOP) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) * spread)
        self.top = top
        self.kernel = kernel

    def forward(self, a: Tensor, bias: Tensor) -> Tensor:
        """a: integers [N, in, H, W] as float32; bias [N, out, 1, 1], whole numbers -> integers [N, out, H, W]."""
        total = F.conv2d(a, _whole(self.weight), padding=self.kernel // 2) + bias
        smooth = total / UNIT
        exact = torch.floor((total + UNIT / 2) / UNIT)
        inside = ((smooth > -1.0) & (smooth < self.top + 1.0)).to(smooth.dtype)
        return straight(exact.clamp(0.0, self.top), smooth * inside)


class IntegerBias(nn.Module):
    """Whole-number biases for each quality, piecewise linear between knots while training, a table once baked."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.knots = Knots(start)

    def forward(self, q: Tensor) -> Tensor:
        """q [N] in [0, 63] -> whole numbers [N, C, 1, 1]; q is rounded down, so that a file's quality picks one row."""
        smooth = self.knots(q.floor()) * UNIT
        return straight(smooth.round(), smooth)


class ScaleNet(nn.Module):
    """Hyper-latent integers -> a table index for each latent symbol (and for each hyper-latent symbol).

    Args of the constructor:
        hyper: channels of the hyper-latent at 1/32; latents: channels of the latent at 1/16.
        start: [KNOTS, latents] scale indices to begin with.
    """

    def __init__(self, hyper: int, latents: int, start: Tensor, width: int = 48) -> None:
        super().__init__()
        self.first = IntegerLayer(hyper, 4 * width, 3, 0.3)
        self.second = IntegerLayer(width, width, 1, 0.2)
        self.last = IntegerLayer(width, latents, 1, 0.02, TABLES - 1.0)
        self.first_bias = IntegerBias(torch.full((4 * width,), 6.0))
        self.second_bias = IntegerBias(torch.full((width,), 3.0))
        self.last_bias = IntegerBias(start)
        self.hyper_index = Knots(torch.full((KNOTS, hyper), 20.0))

    def forward(self, z: Tensor, q: Tensor) -> Tensor:
        """z: integers [N, hyper, h, w] as float32; q [N] -> indices [N, latents, 2h, 2w], whole float32 in [0, 63]."""
        a = self.first(z.clamp(-TOP, TOP), self.first_bias(q))
        a = F.pixel_shuffle(a, 2)
        a = self.second(a, self.second_bias(q))
        return self.last(a, self.last_bias(q))

    def hyper_indices(self, q: Tensor) -> Tensor:
        """Table index of each hyper-latent channel, [N, hyper, 1, 1], whole float32 in [0, 63]."""
        smooth = self.hyper_index(q.floor()).clamp(0.0, TABLES - 1.0)
        return straight(smooth.round(), smooth)


class IntegerScales(nn.Module):
    """A baked ScaleNet: int8 weights and whole-number tables, evaluated as float32 matrix products of integers.

    Matrix products, because a convolution may be computed by Winograd or FFT, which are not exact.
    """

    hyper_table: Tensor

    def __init__(self, hyper: int, latents: int, width: int = 48) -> None:
        super().__init__()
        for name, outputs, inputs in (("first", 4 * width, 9 * hyper), ("second", width, width),
                                      ("last", latents, width)):
            self.register_buffer(f"{name}_weight", torch.zeros(outputs, inputs, dtype=torch.int8))
            self.register_buffer(f"{name}_bias", torch.zeros(QUALITIES, outputs, dtype=torch.int16))
        self.register_buffer("hyper_table", torch.zeros(QUALITIES, hyper, dtype=torch.uint8))

    @classmethod
    @torch.no_grad()
    def bake(cls, net: ScaleNet) -> IntegerScales:
        """Freeze a trained net; raises ValueError when a partial sum could pass 2^24."""
        q = torch.arange(QUALITIES, dtype=torch.float32)
        first, last = net.first.weight, net.last.weight
        baked = cls(first.shape[1], last.shape[0], net.second.weight.shape[0])
        for name in ("first", "second", "last"):
            weight = _whole(getattr(net, name).weight).movedim(1, -1)  # taps before channels, as `forward` stacks them
            getattr(baked, f"{name}_weight").copy_(weight.flatten(1).to(torch.int8))
            bias = getattr(net, f"{name}_bias")(q)[:, :, 0, 0]
            getattr(baked, f"{name}_bias").copy_(bias.clamp(-32767, 32767).to(torch.int16))
        baked.hyper_table.copy_(net.hyper_indices(q)[:, :, 0, 0].to(torch.uint8))
        baked.check()
        return baked

    def check(self) -> float:
        """Largest partial sum that any input can cause; raises ValueError when float32 could round it."""
        worst = 0.0
        for name in ("first", "second", "last"):
            weight = getattr(self, f"{name}_weight").double().abs().sum(1)
            bias = getattr(self, f"{name}_bias").double().abs().amax(0)
            worst = max(worst, float((weight * TOP + bias).max()) + UNIT / 2)
        if worst >= LIMIT:
            raise ValueError(f"an integer layer can reach {worst:.0f}, over 2^24: train it with a smaller width")
        return worst

    def forward(self, z: Tensor, q: Tensor) -> Tensor:
        """z: integers [N, hyper, h, w] as float32; q [N] -> indices [N, latents, 2h, 2w], whole float32 in [0, 63]."""
        row = q.floor().long()
        height, width = z.shape[-2:]
        padded = F.pad(z.clamp(-TOP, TOP), (1, 1, 1, 1))
        taps = torch.cat([padded[:, :, dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)], dim=1)
        a = self._layer("first", taps, row, TOP)
        a = self._layer("second", F.pixel_shuffle(a, 2), row, TOP)
        return self._layer("last", a, row, TABLES - 1.0)

    def _layer(self, name: str, a: Tensor, row: Tensor, top: float) -> Tensor:
        weight, bias = getattr(self, f"{name}_weight").float(), getattr(self, f"{name}_bias").float()
        total = torch.matmul(weight, a.flatten(2)) + bias[row].unsqueeze(-1)
        whole = torch.floor((total + UNIT / 2) * (1.0 / UNIT)).clamp(0.0, top)
        return whole.view(a.shape[0], -1, *a.shape[-2:])

    def hyper_indices(self, q: Tensor) -> Tensor:
        """Table index of each hyper-latent channel, [N, hyper, 1, 1], whole float32 in [0, 63]."""
        return self.hyper_table[q.floor().long()].float()[:, :, None, None]
