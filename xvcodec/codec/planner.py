"""Cut a stream of frames into GOPs: at scene cuts, at the length asked for, and where memory demands it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.limits import MAX_GOP_FRAMES
from xvc_bitstream.records import AudioPacket

from xvcodec.media.types import Frame

CUT = 0.09
"""Mean change of 1/8-size luma (share of full scale) that may be a scene cut ..."""
CUT_RATIO = 3.0
"""... when it is also this many times the change before it: fast motion is not a cut."""
SHORTEST = 4
"""Frames that must pass between scene cuts: flashes do not open a GOP each."""


@dataclass
class GopFrames:
    """Frames of one GOP, and the audio packets that came with them in the file."""

    frames: list[Frame] = field(default_factory=list)
    audio: list[AudioPacket] = field(default_factory=list)


def _thumbnail(frame: Frame) -> NDArray[np.float32]:
    """Luma averaged over 8x8 blocks (cropped), as a share of full scale."""
    rows, columns = (max(1, side // 8) for side in frame.y.shape)
    size = (min(8, frame.y.shape[0]), min(8, frame.y.shape[1]))
    cut = frame.y[: rows * size[0], : columns * size[1]].reshape(rows, size[0], columns, size[1])
    top = 255.0 if frame.y.dtype == np.uint8 else 1023.0
    thumbnail: NDArray[np.float32] = (cut.mean(axis=(1, 3), dtype=np.float32) / top).astype(np.float32)
    return thumbnail


class _CutDetector:
    def __init__(self) -> None:
        self.before: NDArray[np.float32] | None = None
        self.usual = 0.0

    def __call__(self, frame: Frame) -> bool:
        now = _thumbnail(frame)
        change = 0.0 if self.before is None else float(np.abs(now - self.before).mean())
        self.before = now
        cut = change > CUT and change > CUT_RATIO * self.usual
        self.usual = change if cut else max(change, 0.7 * self.usual)
        return cut


def plan(items: Iterable[Frame | AudioPacket], gop: int, max_pixels: int) -> Iterator[GopFrames]:
    """Group frames into GOPs of at most `gop` frames and `max_pixels` pixels; audio goes with the GOP it came in.

    Args:
        items: frames in presentation order with audio packets between them.
        gop: longest GOP in frames (-g).
        max_pixels: width * height * frames of one GOP at most.
    """
    detector = _CutDetector()
    current = GopFrames()
    for item in items:
        if isinstance(item, AudioPacket):
            current.audio.append(item)
            continue
        count = len(current.frames)
        longest = min(gop, MAX_GOP_FRAMES, max(1, max_pixels // item.y.size))
        cut = detector(item)
        if count >= longest or (cut and count >= SHORTEST):
            yield current
            current = GopFrames()
        current.frames.append(item)
    if current.frames or current.audio:
        yield current
