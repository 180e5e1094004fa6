"""Contexts of tokens for tests."""

from __future__ import annotations

import numpy as np

from xvcodec.codec.field_network import UNIT
from xvcodec.codec.token_contexts import SHAPES, TokenContexts

CONTEXTS = TokenContexts.default()


def wild() -> TokenContexts:
    """Contexts that follow nothing sensible; of this seed all tables are in use."""
    random, arrays = np.random.default_rng(30), CONTEXTS.to_tensors()
    for name in SHAPES:
        for key, most in {"entry": 300, "place": 4000, "state": 4000, "inner": 60, "out": 40}.items():
            arrays[f"{name}.{key}"] = random.integers(-most, most, arrays[f"{name}.{key}"].shape, np.int32)
        arrays[f"{name}.out_bias"][:] = 24 * UNIT
    return TokenContexts.from_tensors(arrays)
