"""The noise that a generative decoder starts from: the same numbers on every machine."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

PARTS = 4
"""A number is the sum of so many uniform ones of 16 bits, one word of the generator: nearly normal, and exact."""
DEVIATION = math.sqrt(PARTS * (65536.0**2 - 1.0) / 12.0)


def noise(seed: int, shape: tuple[int, ...]) -> Tensor:
    """Numbers of mean 0 and deviation 1, float32, from the counter-based generator Philox 4x64-10 (Salmon et al., 2011).

    Args:
        seed: 0 to 2^64 - 1, the generator's key; its counter begins at 1.
    """
    words = np.random.Philox(key=seed).random_raw(math.prod(shape))
    whole = words.astype("<u8").view("<u2").reshape(-1, PARTS).sum(1, dtype=np.int64) - PARTS * 65535 // 2
    return torch.from_numpy((whole / DEVIATION).astype(np.float32)).reshape(shape)
