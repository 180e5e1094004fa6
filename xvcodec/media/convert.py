"""Planes to RGB and back, always with an explicit matrix and range.

FFmpeg's own defaults (BT.601, limited) are silently wrong for most video; nothing in xvc may rely on them.
"""

from __future__ import annotations

import threading

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from .types import Frame, Plane, VideoInfo

# Bicubic chroma, exact rounding, and every chroma sample used: speed is not what these conversions are for.
PRECISE = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
_SWS = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_local = threading.local()


def reformatter() -> VideoReformatter:
    """The one reformatter of this thread; its scaling context is reused while formats and sizes stay the same."""
    if not hasattr(_local, "reformatter"):
        _local.reformatter = VideoReformatter()
    return _local.reformatter


def matrix_for(info: VideoInfo) -> Colorspace:
    """swscale's name for the matrix of `info`; untagged video is BT.709 from 720 lines or 1280 columns up, else BT.601."""
    known = _SWS.get(info.matrix)
    if known is not None:
        return known
    return Colorspace.ITU709 if info.width >= 1280 or info.height > 576 else Colorspace.ITU601


def range_for(full: bool) -> ColorRange:
    """swscale's name for full or limited range."""
    return ColorRange.JPEG if full else ColorRange.MPEG


def plane_array(frame: av.VideoFrame, index: int, deep: bool) -> Plane:
    """Copy plane `index` of `frame` to a contiguous array [rows, columns], uint16 when `deep`, without the row padding."""
    plane = frame.planes[index]
    raw = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    if deep:
        return raw[:, : plane.width * 2].copy().view(np.uint16)
    return raw[:, : plane.width].copy()


def fill_plane(frame: av.VideoFrame, index: int, values: Plane) -> None:
    """Copy `values` [rows, columns] into plane `index` of `frame`, row padding left as it is."""
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), values.dtype).reshape(plane.height, plane.line_size // values.itemsize)
    rows[:, : values.shape[1]] = values


def pixel_format(info: VideoInfo) -> str:
    """FFmpeg's name of the planes of `info`."""
    return "yuv420p10le" if info.bit_depth == 10 else "yuv420p"


def to_av(frame: Frame, info: VideoInfo, format: str | None = None) -> av.VideoFrame:
    """`frame` as an av frame in `format` (default `pixel_format(info)`) with colour tags, timestamp and time base."""
    out = av.VideoFrame(info.width, info.height, format or pixel_format(info))
    for index, plane in enumerate(frame.planes):
        fill_plane(out, index, plane)
    out.pts, out.time_base = frame.pts, info.time_base
    out.color_range = int(range_for(info.full_range))
    out.colorspace, out.color_primaries, out.color_trc = info.matrix, info.primaries, info.transfer
    return out


def from_av(picture: av.VideoFrame, pts: int, duration: int = 0) -> Frame:
    """Copy an av frame that is yuv420p, yuvj420p or yuv420p10le already."""
    deep = picture.format.name == "yuv420p10le"
    y, u, v = (plane_array(picture, index, deep) for index in range(3))
    return Frame(pts, y, u, v, duration)


def to_rgb_av(frame: Frame, info: VideoInfo, format: str = "rgb24") -> av.VideoFrame:
    """`frame` as an RGB av frame of any RGB `format`, full range, by the matrix and range of `info`."""
    return reformatter().reformat(
        to_av(frame, info),
        format=format,
        interpolation=PRECISE,
        src_colorspace=matrix_for(info),
        dst_colorspace=matrix_for(info),
        src_color_range=range_for(info.full_range),
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )


def to_rgb(frame: Frame, info: VideoInfo) -> NDArray[np.uint8]:
    """`frame` as uint8 [H, W, 3], R G B, 0..255, by the matrix and range of `info`."""
    picture = to_rgb_av(frame, info)
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : info.width * 3].reshape(info.height, info.width, 3).copy()


def from_rgb(rgb: NDArray[np.uint8], info: VideoInfo, pts: int = 0, duration: int = 0) -> Frame:
    """Planes of `rgb` (uint8 [H, W, 3], 0..255) in the bit depth, matrix and range of `info`; inverse of `to_rgb`."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    return from_av(to_yuv420(picture, info), pts, duration)


def to_yuv420(picture: av.VideoFrame, info: VideoInfo) -> av.VideoFrame:
    """An RGB av frame in the pixel format, matrix and range of `info`."""
    return reformatter().reformat(
        picture,
        format=pixel_format(info),
        interpolation=PRECISE,
        src_colorspace=matrix_for(info),
        dst_colorspace=matrix_for(info),
        src_color_range=ColorRange.JPEG,
        dst_color_range=range_for(info.full_range),
        threads=1,
    )
