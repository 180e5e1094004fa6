"""Bring any decoded picture to YUV 4:2:0 planes of 8 or 10 bits, and say what its colours mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange

from .convert import PRECISE, from_av, matrix_for, pixel_format, plane_array, range_for, reformatter, to_yuv420
from .types import UNSPECIFIED, Frame, VideoInfo

_DIRECT = {"yuv420p", "yuvj420p", "yuv420p10le"}
_BT709 = 1


@dataclass(frozen=True)
class Colour:
    """What the reader makes of a source's pixel format and colour tags."""

    kind: str  # "direct" (copied bit by bit), "yuv" (resampled), "grey" or "rgb"
    bit_depth: int  # 8 or 10
    primaries: int
    transfer: int
    matrix: int
    full_range: bool


def _kind(format: av.VideoFormat) -> str:
    if format.name in _DIRECT:
        return "direct"
    if format.is_rgb or format.has_palette or format.name.startswith("xyz"):
        return "rgb"
    coloured = [c for c in format.components if not c.is_alpha]
    return "grey" if len(coloured) == 1 else "yuv"


def _known(tag: int, otherwise: int) -> int:
    # 0 is reserved (and, as a matrix, RGB): as a tag of planes that are YUV it says nothing.
    return otherwise if tag in (0, UNSPECIFIED) else tag


def colour_of(picture: av.VideoFrame) -> Colour:
    """Classify `picture`: RGB becomes BT.709 limited; YUV and grey keep their tags and range."""
    kind = _kind(picture.format)
    deep = max(c.bits for c in picture.format.components) > 8
    bits = 10 if deep else 8
    if kind == "rgb":
        primaries, transfer = (_known(tag, _BT709) for tag in (picture.color_primaries, picture.color_trc))
        return Colour(kind, bits, primaries, transfer, _BT709, False)
    full = picture.color_range == ColorRange.JPEG or picture.format.name.startswith("yuvj")
    if kind == "grey" and picture.color_range != ColorRange.MPEG:
        full = True  # untagged grey is a picture file or a sensor, and those use every level
    primaries, transfer, matrix = (
        _known(tag, UNSPECIFIED) for tag in (picture.color_primaries, picture.color_trc, picture.colorspace)
    )
    return Colour(kind, bits, primaries, transfer, matrix, full)


def rotation_of(picture: av.VideoFrame) -> tuple[int, bool]:
    """(degrees clockwise 0..359, whether the display matrix also mirrors) from the picture's display matrix."""
    try:
        data: Any = picture.side_data[SideDataType.DISPLAYMATRIX]  # type: ignore[typeddict-item]  # wrong stub
    except KeyError:
        return 0, False
    matrix = np.frombuffer(data, np.int32)[[0, 1, 3, 4]] / 65536.0
    a, b, c, d = (float(value) for value in matrix)
    return round(math.degrees(math.atan2(b, a))) % 360, a * d - b * c < 0


class Normaliser:
    """Turns pictures into frames of one fixed size, depth and colour; the first picture decides which."""

    def __init__(self, info: VideoInfo, scale_warning: Callable[[], None]) -> None:
        self.info = info
        self._scaled = scale_warning

    def __call__(self, picture: av.VideoFrame, pts: int) -> Frame:
        """`picture` (any size and format) as a frame of `self.info`."""
        kind, info = _kind(picture.format), self.info
        same_size = (picture.width, picture.height) == (info.width, info.height)
        if not same_size:
            self._scaled()
        if kind == "direct" and same_size and self._same_depth(picture):
            return from_av(picture, pts)
        if kind == "rgb":
            return from_av(to_yuv420(picture, info), pts)
        return self._grey(picture, pts) if kind == "grey" else self._resample(picture, pts)

    def _same_depth(self, picture: av.VideoFrame) -> bool:
        return (picture.format.name == "yuv420p10le") == (self.info.bit_depth == 10)

    def _resample(self, picture: av.VideoFrame, pts: int) -> Frame:
        # Same matrix and range on both sides: only the sampling (and the depth) changes, never the colours.
        info, matrix, levels = self.info, matrix_for(self.info), range_for(self.info.full_range)
        out = reformatter().reformat(
            picture, info.width, info.height, pixel_format(info), interpolation=PRECISE, src_colorspace=matrix,
            dst_colorspace=matrix, src_color_range=levels, dst_color_range=levels, threads=1,
        )  # fmt: skip
        return from_av(out, pts)

    def _grey(self, picture: av.VideoFrame, pts: int) -> Frame:
        # swscale takes grey for full range whatever the tag, so luma is copied here and chroma made neutral.
        info, deep = self.info, self.info.bit_depth == 10
        out = reformatter().reformat(
            picture, info.width, info.height, "gray10le" if deep else "gray", interpolation=PRECISE,
            src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.JPEG, threads=1,
        )  # fmt: skip
        luma = plane_array(out, 0, deep)
        neutral = np.full(info.chroma_size, 1 << (info.bit_depth - 1), luma.dtype)
        return Frame(pts, luma, neutral, neutral.copy())


def nominal_rate(stream: av.VideoStream) -> Fraction:
    """Frames a second of `stream`: the declared rate where the frames keep to it, their average where they do not."""
    average, declared = stream.average_rate, stream.guessed_rate
    for rate in (average, declared):
        if rate is not None and not 0 < rate <= 1000:
            average = declared = None  # nonsense in the header
    if average and declared and abs(average - declared) < declared / 100:
        return declared
    chosen = average or declared
    return chosen.limit_denominator(65535) if chosen else Fraction(25)
