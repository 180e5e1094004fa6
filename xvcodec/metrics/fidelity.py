"""Signal fidelity: PSNR of RGB, of YUV, and of what changes from frame to frame."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xvcodec.media.types import Frame, VideoInfo

from .base import FrameMetric, Measured, Meter, check_pair, decibels, pool
from .pictures import rgb


class Psnr(FrameMetric):
    """PSNR-RGB, the same as `xvc encode --psnr`."""

    name = "psnr"
    unit = "dB"
    definition = ("PSNR over all samples of the 8-bit RGB picture, both sides converted with the matrix and range of the "
                  "source; mean over frames.")

    def compare(self, source: Frame, decoded: Frame, info: VideoInfo) -> float:
        """PSNR-RGB in dB, at most 100."""
        return decibels(mean_square(rgb_error(source, decoded, info)), 255.0)


class PsnrYuv(FrameMetric):
    """PSNR of the planes, weighted 6:1:1."""

    name = "psnr-yuv"
    unit = "dB"
    definition = ("(6 PSNR(Y) + PSNR(U) + PSNR(V)) / 8 of the planes as they are coded, peak 255 (8 bit) or 1023 (10 bit); "
                  "mean over frames.")

    def compare(self, source: Frame, decoded: Frame, info: VideoInfo) -> float:
        """PSNR-YUV in dB; each plane counts at most 100."""
        peak = float((1 << info.bit_depth) - 1)
        y, u, v = (decibels(mean_square(a.astype(np.int16) - b.astype(np.int16)), peak)
                   for a, b in zip(source.planes, decoded.planes, strict=True))
        return (6.0 * y + u + v) / 8.0


class TemporalPsnr:
    """PSNR of frame differences: shows flicker and jitter, and needs no optical flow."""

    name = "tpsnr"
    unit = "dB"
    better: Literal["higher", "lower"] = "higher"
    definition = ("PSNR (peak 255) between the change of the source and the change of the decoded 8-bit RGB picture since "
                  "the frame before; mean over frames from the second on.")

    def start(self, info: VideoInfo) -> Meter:
        """Begin a clip."""
        return _TemporalMeter(self.name, info)


class _TemporalMeter:
    """Keeps the error of the frame before: the difference of two differences is the difference of two errors."""

    def __init__(self, name: str, info: VideoInfo) -> None:
        self._name, self._info = name, info
        self._before: NDArray[np.int16] | None = None
        self._values: list[float] = []

    def add(self, source: Frame, decoded: Frame) -> None:
        """Measure the change from the pair before to this one."""
        check_pair(source, decoded, self._info)
        error = rgb_error(source, decoded, self._info)
        if self._before is not None:
            self._values.append(decibels(mean_square(error - self._before), 255.0))
        self._before = error

    def finish(self) -> Measured:
        """The frames from the second on, and their mean."""
        self._before = None
        return pool(self._name, self._values, first=1)


def rgb_error(source: Frame, decoded: Frame, info: VideoInfo) -> NDArray[np.int16]:
    """Source minus decoded, int16 [H, W, 3], -255..255."""
    return rgb(source, info).astype(np.int16) - rgb(decoded, info)


def mean_square(difference: NDArray[np.int16]) -> float:
    """Mean of the squares of an array of any shape; the sum is exact."""
    # no dot product: BLAS would wake its threads for it, and two processes that do so starve each other
    return int(np.square(difference, dtype=np.int32).sum(dtype=np.int64)) / difference.size
