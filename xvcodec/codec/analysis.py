"""What the encoder finds out about a GOP from its original pictures, before anything is coded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from xvcodec.codec.chunks import cut, fewest, shares
from xvcodec.codec.field_contexts import COMPONENTS
from xvcodec.codec.field_waves import LIMIT
from xvcodec.codec.lifetimes import octaves
from xvcodec.codec.masking import Masking, masking
from xvcodec.models.coder import AREA, nominal_step
from xvcodec.models.crossmodal import BETWEEN, CrossmodalConfig
from xvcodec.models.matching import Step
from xvcodec.models.search import search_between, search_forward, step_of
from xvcodec.models.warp import BLOCK


@dataclass(frozen=True)
class Analysis:
    """Motion and lifetimes of a GOP of n chunks."""

    fields: NDArray[np.int32]  # [n, 4, 3, H/8, W/8], see `xvcodec.models.search`
    octaves: NDArray[np.float32]  # [1 + n, H/32, W/32], see `xvcodec.codec.lifetimes`
    masking: Masking | None = None  # where errors are not all worth the same, see `xvcodec.codec.masking`


SHORT_LIVED = 0.5
"""A GOP of T frames whose key frame has octaves below SHORT_LIVED log2(T) on average is cut into chunks of FEW frames:
motion over four frames is found too badly there. In files: motorbike -8 %, cockatoo -6 % bits; others, which live
longer, would lose up to 14 %."""
FEW = 2


def analyse(luma: Tensor, quality: float, between: float, perceptual: bool) -> Analysis:
    """Look at a GOP and choose how it is cut into chunks.

    Args:
        luma: [T, 1, H, W] in [-0.5, 0.5].
        quality: about what anchors will be coded at, crf; between: the same of frames between.
        perceptual: whether errors count less where they are seen less.
    """
    return _cuts(luma, quality, between, perceptual)[-1]


def _cuts(luma: Tensor, quality: float, between: float, perceptual: bool) -> list[Analysis]:
    """In as few chunks as can be, and where things live shortly in chunks of FEW frames, too; arguments as of `analyse`."""
    frames = luma.shape[0]
    found = [_analyse(luma, fewest(frames), quality, between, perceptual)]
    if frames > 1 + FEW and float(found[0].octaves[0].mean()) < SHORT_LIVED * math.log2(frames):
        found.append(_analyse(luma, -(-(frames - 1) // FEW), quality, between, perceptual))
    return found


def smoothed(analysis: Analysis) -> Analysis:
    """The same with qualities that differ less from area to area.

    To say them takes up to 6 % of a file at low rates, so half of that. Where all moves, equal bytes bring 0.4 dB more
    (`cockatoo`); where some stands still they are better as they are (`bedroom`).
    """
    hidden = analysis.masking
    return replace(analysis, octaves=_mean_around(analysis.octaves),
                   masking=hidden and replace(hidden, areas=_mean_around(hidden.areas)))


def _mean_around(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over 3x3 areas of maps [n, h, w], edges replicated."""
    wide = F.pad(torch.from_numpy(maps)[:, None], (1, 1, 1, 1), mode="replicate")
    return F.avg_pool2d(wide, 3, 1)[:, 0].numpy()


def analyse_twice(luma: Tensor, quality: float, between: float, perceptual: bool, config: CrossmodalConfig,
                  prices: Sequence[float], coarsest: float, decoded: Callable[[Analysis], Tensor]) -> list[Analysis]:
    """Look at a GOP, and again when it is known how long everything lives: what is wrong in an anchor stays wrong.

    At low rates, where little is coded besides vectors, this is worth 0.1 to 0.3 dB. Frames between are searched for in
    what decoders have the second time, about 2 % fewer bits; anchors are not, since true motion serves those after them
    (docs/experiments.md). Where things live shortly both ways to cut the GOP are tried: at low rates lives seem short that
    are not, and chunks of FEW frames may lose 1.2 dB.

    Args:
        luma, quality, between, perceptual: as of `analyse`.
        config: says how much finer an area is for what depends on it.
        prices: of vectors, as offsets of the quality that they are searched for the second time.
        coarsest: quality that an area has at most.
        decoded: codes the GOP with an analysis, and says what decoders have of its luma, [T, 1, H, W].
    Returns:
        for each way to cut one for each price.
    """
    cuts = _cuts(luma, quality, between, perceptual)
    if luma.shape[0] == 1:
        return cuts
    return [found for first in cuts for found in _again(luma, first, quality, between, perceptual, config, prices, coarsest,
                                                        decoded(first))]


def _again(luma: Tensor, first: Analysis, quality: float, between: float, perceptual: bool, config: CrossmodalConfig,
           prices: Sequence[float], coarsest: float, references: Tensor) -> list[Analysis]:
    """The second look, at a GOP cut as `first` cut it: one for each price; arguments as of `analyse_twice`."""
    chunks = len(first.fields)
    areas = torch.from_numpy(quality + config.unreferenced - config.lifetime * first.octaves[1:]).to(luma.device)
    exact = areas.repeat_interleave(AREA // BLOCK, 1).repeat_interleave(AREA // BLOCK, 2)[:, None, None]
    return [_analyse(luma, chunks, quality, between + price, perceptual,
                     list(nominal_step((exact + price).clamp(0.0, coarsest))), references) for price in prices]


def _analyse(luma: Tensor, chunks: int, quality: float, between: float, perceptual: bool,
             anchor_steps: Sequence[Step] | None = None, references: Tensor | None = None) -> Analysis:
    used = cut(luma.shape[0], chunks)
    hidden = masking(luma, used) if perceptual else None
    steps = [step_of(quality)] * chunks if anchor_steps is None else anchor_steps
    fields = _search(luma, used, steps, step_of(between), hidden, references).clamp(-LIMIT, LIMIT)
    lived = octaves(luma, fields, used, [shares(count) for count in used])
    return Analysis(fields.cpu().numpy().astype(np.int32), lived.cpu().numpy(), hidden)


def _search(luma: Tensor, used: list[int], anchor_steps: Sequence[Step], between_step: float,
            hidden: Masking | None, references: Tensor | None) -> Tensor:
    """Motion fields, float32 [n, 4, 3, H/8, W/8]; where errors are hidden, vectors have to save more.

    With `references`, which frames between are searched for in, squares of blocks are merged.
    """
    merge = references is not None
    blocks = (luma.shape[-2] // BLOCK, luma.shape[-1] // BLOCK)
    fields = torch.zeros(len(used), 1 + BETWEEN, COMPONENTS, *blocks, device=luma.device)
    start = 0
    for chunk, count in enumerate(used):
        before, after = luma[start : start + 1], luma[start + count + 1 : start + count + 2]
        steps = [step if hidden is None else hidden.steps(start + at).to(luma.device) * step
                 for at, step in ((count + 1, anchor_steps[chunk]), ((1 + count) // 2, between_step))]
        fields[chunk, 0] = anchor = search_forward(after, before, steps[0], merge)[0]
        if references is not None:
            before, after = references[start : start + 1], references[start + count + 1 : start + count + 2]
        for slot, share in enumerate(shares(count)[:count]):
            middle = luma[start + 1 + slot : start + 2 + slot]
            fields[chunk, 1 + slot] = search_between(middle, before, after, anchor[None, :2], share, steps[1], merge)[0]
        start += count + 1
    return fields
