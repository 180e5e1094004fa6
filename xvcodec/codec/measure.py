"""PSNR-RGB of decoded frames, the measure of `--psnr` and `--target-psnr`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xvcodec.media.convert import to_rgb
from xvcodec.media.types import Frame, VideoInfo

PERFECT = 100.0
"""What equal pictures count, dB."""


def psnr_rgb(source: Frame, decoded: Frame, info: VideoInfo) -> float:
    """PSNR over all RGB samples of a frame in dB (8 bit), both converted with the same matrix and range."""
    difference = to_rgb(source, info).astype(np.int32) - to_rgb(decoded, info).astype(np.int32)
    error = float(np.mean(np.square(difference)))
    return PERFECT if error == 0.0 else min(PERFECT, 10.0 * float(np.log10(255.0**2 / error)))


def mean_psnr(source: Sequence[Frame], decoded: Sequence[Frame], info: VideoInfo) -> float:
    """Mean over frames."""
    return float(np.mean([psnr_rgb(a, b, info) for a, b in zip(source, decoded, strict=True)]))
