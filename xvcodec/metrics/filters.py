"""SSIM and XPSNR as FFmpeg's own filters compute them, run inside PyAV: no ffmpeg program is needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Literal

import av
from av.filter import Graph
from av.filter.context import FilterContext

from xvcodec.codec.measure import PERFECT
from xvcodec.media.convert import pixel_format
from xvcodec.media.types import Frame, VideoInfo

from .base import Absent, Measured, Meter, Unmeasurable, check_pair, check_size, pool

DEFAULT_RATE = Fraction(25)  # of clips that say nothing
SMALL = 2025  # samples; below, xpsnr's blocks have no size
LARGE = 2048 * 1152  # samples; above, xpsnr looks at 2x2 samples together and would leave odd pictures at the edge


class Ssim:
    """SSIM, the "All" of FFmpeg's filter."""

    name = "ssim"
    unit = ""
    better: Literal["higher", "lower"] = "higher"
    definition = ("SSIM of the planes as they are coded in 8x8 windows 4 samples apart, the planes weighted by their number "
                  "of samples (FFmpeg's filter ssim, its value All); mean over frames.")

    def __init__(self) -> None:
        require_filter("ssim")

    def start(self, info: VideoInfo) -> Meter:
        """Begin a clip; its chroma planes must hold a window."""
        check_size(self.name, info, 15)
        return FilterMeter("ssim", info, _pool_ssim)


class Xpsnr:
    """XPSNR, the "minimum" of FFmpeg's filter."""

    name = "xpsnr"
    unit = "dB"
    better: Literal["higher", "lower"] = "higher"
    definition = ("PSNR of the planes as they are coded, blocks weighted by how visible errors are in them (FFmpeg's filter "
                  "xpsnr, its value minimum: the worst plane, each plane pooled by the mean root of its weighted error).")

    def __init__(self) -> None:
        require_filter("xpsnr")

    def start(self, info: VideoInfo) -> Meter:
        """Begin a clip."""
        if info.width * info.height < SMALL or min(info.width, info.height) < 16:  # the filter would divide by zero
            raise Unmeasurable(f"xpsnr needs pictures of at least {SMALL} samples, 16 a side; this clip is "
                               f"{info.width}x{info.height}.")
        if info.width * info.height > LARGE and (info.width % 2 or info.height % 2):
            raise Unmeasurable(f"xpsnr needs even sides above 2048x1152 samples; this clip is {info.width}x{info.height}.")
        return FilterMeter("xpsnr", info, _pool_xpsnr)


def _pool_ssim(frames: list[dict[str, str]], info: VideoInfo) -> Measured:
    return pool("ssim", [float(found["lavfi.ssim.All"]) for found in frames])


def _pool_xpsnr(frames: list[dict[str, str]], info: VideoInfo) -> Measured:
    planes = [[float(found[f"lavfi.xpsnr.xpsnr.{plane}"]) for found in frames] for plane in "yuv"]
    values = pool("xpsnr", [min(PERFECT, *frame) for frame in zip(*planes, strict=True)]).frames
    sizes = [info.width * info.height] + 2 * [info.chroma_size[0] * info.chroma_size[1]]
    peak = (1 << info.bit_depth) - 1
    clip = [_pool_plane(plane, peak * peak * size) for plane, size in zip(planes, sizes, strict=True)]
    return Measured(values, min(PERFECT, *clip))


def _pool_plane(values: list[float], energy: int) -> float:
    """The filter's pooling of a plane, from its values in dB and the largest squared error that the plane can have."""
    total = sum(math.sqrt(energy) * 10.0 ** (-value / 20.0) for value in values)  # infinity adds nothing
    if total >= len(values):
        return 10.0 * math.log10(energy / (total / len(values)) ** 2)
    return sum(min(PERFECT, value) for value in values) / len(values)


def require_filter(name: str) -> None:
    """Raise Absent when this build of PyAV lacks a filter."""
    if name not in av.filter.filters_available:
        raise Absent(f"This build of PyAV has no filter {name}: install its wheel from PyPI (pip install av).")


class FilterMeter:
    """Feeds both sides to a filter and collects what it writes into the metadata of each frame."""

    def __init__(self, filter: str, info: VideoInfo, pooled: Callable[[list[dict[str, str]], VideoInfo], Measured]) -> None:
        self._filter, self._info, self._pooled = filter, info, pooled
        self._found: list[dict[str, str]] = []
        self._pushed = 0
        rate = info.frame_rate.limit_denominator(1001)
        self._rate = rate if rate > 0 else DEFAULT_RATE
        graph = Graph()
        # The rate matters: xpsnr looks further back from 32 frames a second on.
        given = (f"video_size={info.width}x{info.height}:pix_fmt={pixel_format(info)}:"
                 f"time_base={1 / self._rate}:frame_rate={self._rate}")
        self._source, self._decoded = graph.add("buffer", given), graph.add("buffer", given)
        self._sink = graph.add("buffersink")
        middle = graph.add(filter)
        self._source.link_to(middle, 0, 0)
        self._decoded.link_to(middle, 0, 1)
        middle.link_to(self._sink)
        graph.configure()
        self._graph = graph

    def add(self, source: Frame, decoded: Frame) -> None:
        """Push the next pair, and take what is ready."""
        check_pair(source, decoded, self._info)
        try:
            for buffer, frame in ((self._source, source), (self._decoded, decoded)):
                picture = tight(frame, self._info)
                picture.pts, picture.time_base = self._pushed, 1 / self._rate
                buffer.push(picture)
            self._pushed += 1
            self._pull()
        except av.error.FFmpegError as error:
            raise Unmeasurable(f"FFmpeg's filter {self._filter} failed on this clip ({error.strerror}).") from error

    def finish(self) -> Measured:
        """Drain the filter and pool."""
        if self._pushed:
            for buffer in (self._source, self._decoded):
                buffer.push(None)
            self._pull()
        if len(self._found) != self._pushed:
            raise Unmeasurable(f"FFmpeg's filter {self._filter} measured {len(self._found)} of {self._pushed} frames.")
        return self._pooled(self._found, self._info)

    def _pull(self) -> None:
        sink: FilterContext = self._sink
        while True:
            try:
                self._found.append({key: str(value) for key, value in sink.pull().metadata.items()})
            except (BlockingIOError, EOFError):
                return


def tight(frame: Frame, info: VideoInfo) -> av.VideoFrame:
    """`frame` as an av frame whose rows follow each other without padding.

    The filter xpsnr takes the width for the distance between the rows of 10-bit pictures; padded rows give wrong values.
    """
    decoder = av.CodecContext.create("rawvideo", "r")
    decoder.width, decoder.height, decoder.pix_fmt = info.width, info.height, pixel_format(info)
    return decoder.decode(av.Packet(b"".join(plane.tobytes() for plane in frame.planes)))[0]
