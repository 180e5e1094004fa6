"""Generated clips for the metric tests: moving pictures with texture and edges, and damaged copies of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from xvcodec.media.types import Frame, VideoInfo

Pairs = list[tuple[Frame, Frame]]


def info(width: int, height: int, bit_depth: int = 8, rate: int = 25) -> VideoInfo:
    """A BT.709 clip."""
    return VideoInfo(width, height, bit_depth, matrix=1, primaries=1, transfer=1, frame_rate=Fraction(rate))


def clip(info: VideoInfo, frames: int = 3, seed: int = 0, error: int = 6) -> Pairs:
    """`frames` pairs: waves that move under a still grain, and the same with noise of +-`error` 8-bit steps."""
    rng = np.random.default_rng(seed)
    grain = [rng.normal(0, 4, shape) for shape in shapes(info)]
    pairs = []
    for time in range(frames):
        source = [_waves(shape, time, phase) + still for phase, (shape, still) in enumerate(zip(shapes(info), grain,
                                                                                               strict=True))]
        decoded = [plane + rng.integers(-error, error + 1, plane.shape) for plane in source]
        pairs.append((frame(source, info), frame(decoded, info)))
    return pairs


def shapes(info: VideoInfo) -> list[tuple[int, int]]:
    """(rows, columns) of the three planes."""
    return [(info.height, info.width), info.chroma_size, info.chroma_size]


def frame(planes: list[np.ndarray], info: VideoInfo) -> Frame:
    """A frame of the depth of `info` from values on the 8-bit scale."""
    scale, dtype = (4, np.uint16) if info.bit_depth == 10 else (1, np.uint8)
    return Frame(0, *(np.clip(np.rint(plane * scale), 0, 255 * scale).astype(dtype) for plane in planes))


def _waves(shape: tuple[int, int], time: int, phase: int) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    wave = 128 + 50 * np.sin(columns / 5 + time / 2 + phase) + 30 * np.cos(rows / 9 - time)
    return np.where(columns > shape[1] // 2 + 2 * time, wave, 255 - wave)
