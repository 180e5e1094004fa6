"""Rounding of latents: to the nearest, or one lower where the bits saved are worth more than the error."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from xvc_bitstream.tables import TableSet

SKIP = 8
"""Latent symbols with one of the narrowest tables (Laplace scale below 0.16) are zero and cost nothing: few would be
anything else, and a 16-bit table spends bits on its other entries. Measured: 1 % fewer bits than coding them all."""


class Quantiser:
    """Rate-distortion optimised rounding against the very tables that will code the symbols.

    Symbols whose table is below `skip` are zero: they are not coded. A symbol k >= 1 is lowered by one when
    (r - k + 1)^2 - (r - k)^2 < price * bits saved, r in quantiser steps, and is zero wherever that says so of 1; beyond
    2 a table is taken to fall as fast as from 1 to 2. Where errors have a weight, the price is divided by it. The
    decoder knows nothing of it.
    """

    def __init__(self, tables: TableSet, price: float, skip: int) -> None:
        bits = -torch.log2(torch.from_numpy(tables.frequencies.astype("float32")) / 65536.0)
        zero = -tables.lowest
        self.first = (bits[:, zero + 1] - bits[:, zero]) * (price / 2)  # moves the border between 0 and 1
        self.first[:skip] = float("inf")
        self.price = price
        self._costs: NDArray[np.float32] = bits.numpy()
        self.more = (bits[:, zero + 2] - bits[:, zero + 1]) * (price / 2)

    def __call__(self, residual: Tensor, index: Tensor, weight: Tensor | float = 1.0) -> Tensor:
        """residual: float, any shape; index: whole float32 tables, same shape; weight of errors -> whole float32 symbols."""
        tables = index.long()
        first, more = (each.to(residual.device)[tables] / weight for each in (self.first, self.more))
        size = residual.abs()
        lowered = torch.floor(size + 0.5 - more.clamp(max=0.49))
        return torch.sign(residual) * torch.where(size > 0.5 + first, lowered.clamp_min(1.0), 0.0)

    def bits(self, symbols: NDArray[np.int32], index: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What symbols of some tables cost, same shape; an escaped one is taken for the largest that is not."""
        zero = (self._costs.shape[1] - 1) // 2
        found: NDArray[np.float32] = self._costs[index, np.clip(symbols, -zero, zero) + zero]
        return found

    def whole(self, residual: NDArray[np.float32], index: NDArray[np.uint8],
              weight: NDArray[np.float32] | None = None) -> NDArray[np.int32]:
        """The same for arrays: float32, uint8, float32 -> int32."""
        weights = 1.0 if weight is None else torch.from_numpy(weight)
        return self(torch.from_numpy(residual), torch.from_numpy(index), weights).to(torch.int32).numpy()
