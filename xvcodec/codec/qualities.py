"""At which quality the pictures and areas of a GOP are coded."""

from __future__ import annotations

import numpy as np

from xvcodec.codec.analysis import Analysis
from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.quality_maps import LIMIT, UNIT
from xvcodec.models.crossmodal import CrossmodalConfig
from xvcodec.options import MAX_CRF

LONG = 16
"""Frames from which on a GOP's pictures get the whole of their differences in quality: a photograph has none."""
HOLD = 0.75
"""An area keeps the level that it had in the picture before where that is so close to what it should have."""
FIRST = 0.65
"""What lifetimes count in a key frame: with 1, which takes 2 % fewer bits at equal PSNR, it is 2.4 dB better than the middle
of its GOP, and people see a pulse. MS-SSIM would take 4 % more bits, so that `--tune perceptual` counts them whole."""
FINER = 3.0
"""By how much key frames and anchors are finer against frames between, crf, when tuned perceptually."""
FINE = 24.0
"""Quality below which all draw together: at crf 0 every one has the finest step."""


def levels_of(config: CrossmodalConfig, quality: float, analysis: Analysis, frames: int) -> Ints:
    """Levels of the areas of key frame and anchors against the quality of the GOP, see `xvcodec.codec.quality_maps`."""
    share = min(1.0, quality / FINE)
    long = min(1.0, (frames - 1) / (LONG - 1))
    if analysis.masking:
        offsets = long * (config.unreferenced - FINER) - config.lifetime * analysis.octaves + analysis.masking.areas
    else:
        octaves = np.concatenate([analysis.octaves[:1] * FIRST, analysis.octaves[1:]])
        offsets = long * config.unreferenced - config.lifetime * octaves
    wanted = share * offsets / UNIT
    levels = [np.rint(wanted[0])]
    for picture in wanted[1:]:
        levels.append(np.where(np.abs(picture - levels[-1]) <= HOLD, levels[-1], np.rint(picture)))
    return np.clip(levels, -LIMIT, LIMIT).astype(np.int32)


def quality_between(config: CrossmodalConfig, quality: float, coarsest: float = MAX_CRF) -> float:
    """Quality (crf) of frames between, on which nothing depends, in a GOP of some quality."""
    return min(coarsest, quality + config.between * min(1.0, quality / FINE))
