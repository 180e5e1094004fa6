"""Clips of a few frames, made on the spot."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from xvcodec.media import VideoInfo, from_rgb, open_writer
from xvcodec.media.synth import picture


def video(path: Path, frames: int = 8, size: tuple[int, int] = (96, 64), seed: int = 1, depth: int = 8,
          codec: str = "ffv1") -> Path:
    """Moving texture, lossless, 25 frames a second."""
    info = VideoInfo(*size, bit_depth=depth, time_base=Fraction(1, 1000), frame_rate=Fraction(25))
    with open_writer(path, info, codec=codec) as writer:
        for number in range(frames):
            writer.write(from_rgb(picture(number, frames, size, seed), info, 40 * number, 40))
    return path


def still(path: Path, size: tuple[int, int] = (96, 64)) -> Path:
    """One picture."""
    info = VideoInfo(*size)
    with open_writer(path, info) as writer:
        writer.write(from_rgb(picture(0, 1, size), info))
    return path
