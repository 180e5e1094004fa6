"""`--model auto`: which model serves the rate that was asked for."""

from __future__ import annotations

from dataclasses import replace

from xvcodec.media.types import VideoInfo
from xvcodec.options import EncodeOptions

AUTO = "auto"
USUAL, LOW = "crossmodal", "hivae"
LOW_RATE = 0.02
"""Bits a pixel where USUAL ends on most clips (crf 63), and LOW has better MS-SSIM and SqueezeNet distances
(docs/models/onedva.md, whose pictures are those of LOW in a few more bytes)."""


def model_for(options: EncodeOptions, info: VideoInfo) -> str:
    """The name of the model that options mean for a source: with AUTO the one for its rate, where one was asked for."""
    if options.model != AUTO:
        return options.model_name
    rate = rate_of(options, info)
    low = rate is not None and rate < LOW_RATE
    return replace(options, model=LOW if low else USUAL).model_name


def rate_of(options: EncodeOptions, info: VideoInfo) -> float | None:
    """Bits a pixel that options ask for, sound included where they count it; None where they ask for a quality."""
    pixels = info.width * info.height
    if options.bpp is not None:
        return options.bpp
    if options.bitrate is not None:
        return options.bitrate / float(pixels * info.frame_rate)
    if options.target_size is not None and info.frames:
        return 8.0 * options.target_size / (pixels * info.frames)
    return None
