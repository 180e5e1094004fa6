"""What the encoder says about drawing: how much of what the flow draws is added, and hints of what is lost in each area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.family import Guide, PassStream, Planes, ReadStream
from xvcodec.codec.painting import blend, sketch
from xvcodec.codec.quality_maps import LIMIT, decode_maps, encode_maps
from xvcodec.codec.shifts import tables_of
from xvcodec.codec.structure import dissimilarity, texture_gap
from xvcodec.models.hints import HINTED
from xvcodec.runtime.base import Runtime

QUARTERS, MOST = 4, 3
"""What is drawn is counted in quarters; at most MOST of them are added, as the flow was trained to be shown."""
TEXTURE, LOOKED_AT = 0.2, 3
"""As many are added as make dissimilarity (MS-SSIM) times texture gap to the power of TEXTURE least in LOOKED_AT pictures:
where a clip is unlike those of training, what is drawn does harm. On clips kept from training within 0.2 of the least
SqueezeNet distance (docs/experiments.md)."""
TOLD_WITH = 18
"""Table that codes them."""


@dataclass(frozen=True)
class Drawing:
    """Of a GOP."""

    quarters: Ints  # int32 [1], 0 to QUARTERS
    hints: Ints  # int32 [C, H/16, W/16], within +-LIMIT; zeros say nothing

    @property
    def share(self) -> float:
        """How much is added of what the flow draws, 0 to 1."""
        return int(self.quarters[0]) / QUARTERS


def nothing(hints: int, height: int, width: int) -> Drawing:
    """Nothing is drawn in pictures of padded size height x width."""
    return Drawing(np.zeros(1, np.int32), np.zeros((hints, height // HINTED, width // HINTED), np.int32))


def choose(runtime: Runtime, truth: Planes, decoded: Planes, quality: float, guide: Guide) -> Drawing:
    """Look at some pictures of a GOP and at what decoders have of them, and say what helps.

    Hints are the mean over these pictures.
    """
    frames = np.unique(np.linspace(0, len(truth.luma) - 1, LOOKED_AT).astype(int)).tolist()
    pairs = [(Planes(truth.luma[at : at + 1], truth.chroma[at : at + 1]),
              Planes(decoded.luma[at : at + 1], decoded.chroma[at : at + 1])) for at in frames]
    q = torch.full((1,), quality, device=truth.luma.device)
    told = torch.cat([runtime.run("paint.tell", (true.luma, true.chroma, seen.luma, seen.chroma, q))[0]
                      for true, seen in pairs])
    hints = told.mean(0).round().clamp(-LIMIT, LIMIT).cpu().numpy().astype(np.int32)
    sketches = [sketch(runtime, seen, quality, guide, hints) for _, seen in pairs]
    wanted = torch.cat([true.luma for true, _ in pairs]).float()

    def unlike(quarters: int) -> float:
        luma = torch.cat([blend(each, quarters / QUARTERS).luma for each in sketches]).float()
        return float(dissimilarity(luma, wanted) * texture_gap(luma, wanted) ** TEXTURE)

    return Drawing(np.array([min(range(MOST + 1), key=unlike)], np.int32), hints)


def said(drawing: Drawing) -> list[PassStream]:
    """The streams that say it: none where nothing is drawn."""
    if not drawing.quarters[0]:
        return []
    passes = [each for hint in drawing.hints for each in encode_maps(hint[None])]
    return [PassStream("drawn", drawing.quarters.shape, [(drawing.quarters, tables_of(1, TOLD_WITH))]),
            PassStream("hints", drawing.hints.shape, passes)]


def decode_drawing(hints: int, height: int, width: int, read: ReadStream) -> Drawing:
    """The inverse of `said`, for pictures of padded size height x width."""
    found = nothing(hints, height, width)
    if not read.rows("drawn"):
        return found
    with read.passes("drawn", found.quarters.shape) as read_pass:
        found.quarters[:] = read_pass(tables_of(1, TOLD_WITH))
    if not 0 < found.quarters[0] <= QUARTERS:
        raise DamagedError("it asks for more to be drawn than there is: the file is damaged")
    with read.passes("hints", found.hints.shape) as read_pass:
        for hint in found.hints:
            hint[:] = decode_maps((1, *hint.shape), read_pass)[0]
    return found
