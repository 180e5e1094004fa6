"""What a decoded video is made of: its description (`VideoInfo`) and its pictures (`Frame`)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8] | NDArray[np.uint16]

UNSPECIFIED = 2  # the H.273 code point for "not known", in primaries, transfer and matrix alike

MAX_SIDE = 16384
MAX_PIXELS = 1 << 26


@dataclass(frozen=True)
class VideoInfo:
    """How the planes of a video are to be understood; carried through the codec untouched."""

    width: int  # luma samples a row, as stored (rotation not applied)
    height: int  # luma rows, as stored
    bit_depth: int = 8  # 8 (uint8 planes) or 10 (uint16 planes, 0..1023)
    sar: Fraction = Fraction(0)  # sample aspect ratio, width over height of one sample; 0 unknown (taken for square)
    rotation: int = 0  # degrees clockwise by which a player turns the picture: 0, 90, 180 or 270
    primaries: int = UNSPECIFIED  # H.273 ColourPrimaries
    transfer: int = UNSPECIFIED  # H.273 TransferCharacteristics
    matrix: int = UNSPECIFIED  # H.273 MatrixCoefficients
    full_range: bool = False  # luma 0..2^n-1 instead of 16..235 (times 2^(n-8))
    chroma_location: int = 0  # FFmpeg's AVChromaLocation: 0 unspecified, 1 left, 2 centre, 3 top left
    time_base: Fraction = Fraction(1, 90000)  # seconds in one tick of a timestamp
    frame_rate: Fraction = Fraction(25)  # nominal frames a second; timestamps are what counts
    frames: int | None = None  # estimated number of frames
    duration_us: int | None = None  # estimated duration in microseconds

    @property
    def chroma_size(self) -> tuple[int, int]:
        """(rows, columns) of a chroma plane: half of luma, rounded up."""
        return (self.height + 1) // 2, (self.width + 1) // 2

    @property
    def frame_ticks(self) -> int:
        """Nominal duration of one frame in ticks of `time_base`, at least 1."""
        return max(1, round(1 / (self.frame_rate * self.time_base)))


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture in YUV 4:2:0.

    `pts` and `duration` count ticks of `VideoInfo.time_base`. `y` is [H, W], `u` and `v` are [ceil(H/2), ceil(W/2)];
    all are contiguous, uint8 with values 0..255 or uint16 with values 0..1023.
    """

    pts: int
    y: Plane
    u: Plane
    v: Plane
    duration: int = 0

    @property
    def planes(self) -> tuple[Plane, Plane, Plane]:
        """(y, u, v)."""
        return self.y, self.u, self.v
