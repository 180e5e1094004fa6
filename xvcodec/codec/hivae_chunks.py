"""How far the anchors of a GOP of the hivae family are apart: the encoder codes its beginning both ways and compares.

Where the camera shakes or things move fast, near anchors are worth half a decibel and more; where little moves, they only
cost bits (docs/experiments.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from xvc_bitstream.coders.base import bits
from xvc_bitstream.tables import TableSet

from xvcodec.codec.family import PassStream, Planes
from xvcodec.codec.hivae_loop import Loop

TRIED = (2, 4, 8)
"""Lengths of chunks that are compared."""
LOOKED_AT = 17
"""Frames that are coded for it."""
WORTH = 6.0
"""Decibels that e times the bits should bring at low rates: validation clips have 4 to 8."""
TINY = 1e-9

Code = Callable[[Planes, int], tuple[Loop, Sequence[PassStream]]]
"""Codes pictures in chunks of some length."""


def best_chunk(planes: Planes, tables: TableSet, code: Code) -> int:
    """Of `TRIED` what gives the first frames of a GOP more quality for their bits."""
    some = Planes(planes.luma[:LOOKED_AT], planes.chroma[:LOOKED_AT])
    if len(some.luma) <= TRIED[0] + 1:
        return TRIED[0]  # all lengths mean the same pictures, or nearly

    def score(chunk: int) -> float:
        loop, streams = code(some, chunk)
        spent = sum(bits(symbols, index, tables) for stream in streams for symbols, index in stream.passes)
        decoded = torch.cat([loop.decoded[frame][0] for frame in range(len(some.luma))])
        errors = (decoded - some.luma).square().mean((1, 2, 3)) + TINY
        return float(-10.0 * errors.log10().mean()) - WORTH * math.log(spent + 1.0)

    return max(TRIED, key=score)
