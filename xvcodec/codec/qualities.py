"""At which quality the pictures and areas of a GOP are coded."""

from __future__ import annotations

import numpy as np

from xvcodec.codec.analysis import Analysis
from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.quality_maps import LIMIT, UNIT
from xvcodec.models.crossmodal import CrossmodalConfig

LONG = 16
"""Frames from which on a GOP's pictures get the whole of their differences in quality: a photograph has none."""
HOLD = 0.75
"""An area keeps the level that it had in the picture before where that is so close to what it should have."""
FINE = 24.0
"""Quality below which all draw together: at crf 0 every one has the finest step."""


def levels_of(config: CrossmodalConfig, quality: float, analysis: Analysis, frames: int) -> Ints:
    """Levels of the areas of key frame and anchors against the quality of the GOP, see `xvcodec.codec.quality_maps`."""
    share = min(1.0, quality / FINE)
    unreferenced = config.unreferenced * min(1.0, (frames - 1) / (LONG - 1))
    hidden = analysis.masking.areas if analysis.masking else np.float32(0.0)
    wanted = share * (unreferenced - config.lifetime * analysis.octaves + hidden) / UNIT
    levels = [np.rint(wanted[0])]
    for picture in wanted[1:]:
        levels.append(np.where(np.abs(picture - levels[-1]) <= HOLD, levels[-1], np.rint(picture)))
    return np.clip(levels, -LIMIT, LIMIT).astype(np.int32)


def quality_between(config: CrossmodalConfig, quality: float) -> float:
    """Quality (crf) of frames between, on which nothing depends, in a GOP of some quality."""
    return min(63.0, quality + config.between * min(1.0, quality / FINE))
