"""MS-SSIM as learned codecs report it: of RGB, by pytorch-msssim."""

from __future__ import annotations

from xvcodec.media.types import Frame, VideoInfo

from .base import FrameMetric
from .optional import require
from .pictures import rgb_tensor


class MsSsim(FrameMetric):
    """Multi-scale SSIM. Small pictures are refused: a value from fewer scales would be another measure."""

    name = "msssim"
    definition = ("MS-SSIM of the 8-bit RGB picture, mean of the three channels: five scales, Gaussian window of 11x11 "
                  "samples and sigma 1.5 (pytorch-msssim); mean over frames.")
    least = 161  # the window still fits into the fifth scale

    def __init__(self) -> None:
        self._library = require("pytorch_msssim", "MS-SSIM", "pip install 'xvc[rd]'")

    def compare(self, source: Frame, decoded: Frame, info: VideoInfo) -> float:
        """MS-SSIM, 0..1."""
        return float(self._library.ms_ssim(rgb_tensor(source, info), rgb_tensor(decoded, info), data_range=255.0))
