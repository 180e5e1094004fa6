"""Metrics of decoded video against its source; docs/metrics.md defines each.

    metrics, missing = resolve(["psnr", "msssim", "vmaf"])
    measured, stopped = measure(metrics, info, zip(source_frames, decoded_frames, strict=True))
    measured["psnr"].clip
"""

from .base import Measured, Meter, Metric, Unmeasurable
from .panel import measure
from .registry import NAMES, Missing, resolve

__all__ = ["NAMES", "Measured", "Meter", "Metric", "Missing", "Unmeasurable", "measure", "resolve"]
