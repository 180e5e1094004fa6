"""Coefficients and tokens: what an encoder answers while it walks, and what a decoder has learned when it stops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.token_contexts import Ints
from xvcodec.codec.token_layers import Layer
from xvcodec.codec.tokens import Asked

MIDDLE = (0.42, 0.48)
"""Where in its interval a coefficient is taken to be, after its first bit and after more of them."""


class Truth:
    """What an encoder answers: the symbols of given tokens.

    Args of the constructor:
        values: of each layer, int32 [patches, tokens, TOKEN] in quantiser steps.
    """

    def __init__(self, layers: list[Layer], values: list[Ints]) -> None:
        self.sizes = {id(layer): np.abs(value) for layer, value in zip(layers, values, strict=True)}
        self.signs = {id(layer): np.sign(value).astype(np.int32) for layer, value in zip(layers, values, strict=True)}
        self.most = {key: size.max(-1) for key, size in self.sizes.items()}

    def __call__(self, asked: Asked) -> Ints:
        """Symbols, int32 [n]."""
        key, token = id(asked.layer), asked.token
        if asked.part is None:
            if asked.rest is not None:
                return np.array([(self.most[key][asked.rest, token] >> asked.plane).any()], np.int32)
            return (self.most[key][asked.patches, token] >> asked.plane > 0).astype(np.int32)
        known = asked.layer.known[asked.patches, token, asked.part]
        sizes = self.sizes[key][asked.patches, token, asked.part] >> asked.plane
        signs = self.signs[key][asked.patches, token, asked.part]
        return np.where(known > 0, sizes - known, sizes * signs).astype(np.int32).reshape(-1)


def values(layer: Layer) -> NDArray[np.float32]:
    """What a layer's tokens tell so far, in quantiser steps, float32 [patches, tokens, TOKEN]: whole once all planes are
    there."""
    unit = np.ldexp(np.float32(1.0), layer.plane.astype(np.int32))[..., None]
    middle = np.where(layer.known > 1, np.float32(MIDDLE[1]), np.float32(MIDDLE[0])) * (unit - 1.0)
    return np.where(layer.known > 0, layer.signs * (layer.known * unit + middle), 0.0).astype(np.float32)
