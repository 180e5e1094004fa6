"""Rate and rounding while training: noise for the rate, straight-through rounding for the reconstruction."""

from __future__ import annotations

import torch
from torch import Tensor

from xvcodec.codec.quantise import SKIP
from xvcodec.models.integer import TABLES

SMALLEST = 0.06
LARGEST = 100.0


def scale_of(index: Tensor) -> Tensor:
    """Laplace scale b of a table index in [0, 63]: log-spaced from 0.06 to 100 quantiser steps."""
    return SMALLEST * (LARGEST / SMALLEST) ** (index / (TABLES - 1.0))


def laplace_bits(value: Tensor, scale: Tensor) -> Tensor:
    """Bits of a zero-mean Laplace bin of width one around `value`, elementwise; capped like the coded tables."""
    distance = value.abs()
    inner = 1.0 - 0.5 * (torch.exp(-(0.5 - distance).clamp_min(0.0) / scale) + torch.exp(-(0.5 + distance) / scale))
    tail = (distance - 0.5).clamp_min(0.0) / scale + 0.6931472 - torch.log(-torch.expm1(-1.0 / scale) + 1e-9)
    bits = torch.where(distance < 0.5, -torch.log(inner.clamp_min(1e-6)), tail) * 1.442695
    return torch.where(bits > 24.0, 24.0 + (bits - 24.0) * 0.05, bits)


def unless_skipped(bits: Tensor, index: Tensor) -> Tensor:
    """Bits of latent symbols with their tables: nothing under a skipped table, but with the gradient that could widen it."""
    return torch.where(index < SKIP, bits - bits.detach(), bits)


def noisy(value: Tensor) -> Tensor:
    """Value plus uniform noise of one quantiser step."""
    return value + torch.rand_like(value) - 0.5


def quantised(value: Tensor, index: Tensor) -> Tensor:
    """About what the encoder's rounding makes of a latent, gradient passed straight through: see `Quantiser`.

    Small values become zero more often than halfway (0.6 for the usual tables), and all of them under a skipped table.
    """
    whole = torch.where((value.abs() < 0.6) | (index < SKIP), 0.0, value.round())
    return value + (whole - value).detach()


def rounded(value: Tensor) -> Tensor:
    """Rounded half to even, gradient passed straight through."""
    return value + (value.round() - value).detach()
