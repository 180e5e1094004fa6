"""Rate and rounding while training: noise for the rate, straight-through rounding for the reconstruction."""

from __future__ import annotations

import torch
from torch import Tensor
from xvc_bitstream.tables import TableSet, log_scales

from xvcodec.codec.quantise import SKIP
from xvcodec.models.integer import TABLES, straight

SMALLEST = 0.06
LARGEST = 100.0
REACH = 127
"""Symbols from -127 to 127 have entries of their own; larger ones are escaped. Each entry takes at least 1/65536 of its
table, which the skipped narrow tables do not pay."""


def laplace_tables() -> TableSet:
    """The TABLES Laplace tables that `scale_of` speaks of."""
    return TableSet.laplace(log_scales(TABLES, SMALLEST, LARGEST), REACH)


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


def size_bits(size: Tensor, expected: Tensor) -> Tensor:
    """Bits of symbols of some size, which is geometric with mean `expected` > 0, and of their sign, elementwise."""
    return torch.log2(1.0 + expected) + size * torch.log2(1.0 + 1.0 / expected) + size.clamp_max(1.0)


def geometric_bits(symbols: Tensor, value: Tensor, expected: Tensor) -> Tensor:
    """`size_bits` of whole symbols, which are what `value` is rounded to.

    The gradient is that of the size of `value`, blurred by the rounding: the mean of |value + noise| over uniform noise
    of one step, in closed form.
    """
    size = value.abs()
    blurred = torch.where(size < 0.5, size.square() + 0.25, size)
    return straight(size_bits(symbols.abs(), expected), size_bits(blurred, expected))


def noisy(value: Tensor) -> Tensor:
    """Value plus uniform noise of one quantiser step."""
    return value + torch.rand_like(value) - 0.5


def quantised(value: Tensor, index: Tensor) -> Tensor:
    """About what the encoder's rounding makes of a latent, gradient passed straight through: see `Quantiser`.

    Small values become zero more often than halfway (0.6 for the usual tables), and all of them under a skipped table.
    """
    whole = torch.where((value.abs() < 0.6) | (index < SKIP), 0.0, value.round())
    return value + (whole - value).detach()


def lowered(value: Tensor, expected: Tensor, table: Tensor, price: float) -> Tensor:
    """What the encoder's rounding (`Quantiser`) makes of latents whose tables are about those of `geometric_bits`.

    The gradient is passed straight through; under a skipped table there is none, because tables are given here.
    """
    with torch.no_grad():
        size, each = value.abs(), torch.log2(1.0 + 1.0 / expected)
        more = (each * (price / 2)).clamp_max(0.49)
        whole = torch.floor(size + 0.5 - more).clamp_min(1.0)
        whole = torch.where(size > 0.5 + (each + 1.0) * (price / 2), whole, 0.0) * value.sign()
    return torch.where(table < SKIP, 0.0, straight(whole, value))


def rounded(value: Tensor) -> Tensor:
    """Rounded half to even, gradient passed straight through."""
    return value + (value.round() - value).detach()
