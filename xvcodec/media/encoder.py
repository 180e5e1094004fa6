"""The video encoder inside a container: choice of codec and options, colour tags, exact timestamps."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from typing import cast

import av
from av.container import OutputContainer

from xvcodec.errors import OutputError

from .convert import pixel_format, range_for, to_av
from .sink import reason
from .siting import option_for
from .types import Frame, VideoInfo

# Near-transparent defaults: what xvc decoded should not be coded away again. Slower presets change little here.
DEFAULTS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "12", "preset": "medium"},
    "libx265": {"crf": "14", "preset": "medium"},
    "libvpx-vp9": {"crf": "16", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
    "libsvtav1": {"crf": "18", "preset": "6"},
    "ffv1": {"g": "1"},
}
_RATE_OPTIONS = {"crf", "b", "qp", "q", "maxrate"}
_EVEN_ONLY = {"libx264", "libx264rgb", "libx265"}  # 4:2:0 of an odd size cannot be written in their streams


def resolve_options(codec: av.Codec, options: dict[str, str], defaults: dict[str, str] | None = None) -> dict[str, str]:
    """`defaults`, else ours for the codec, overlaid with `options` (":v" suffixes dropped).

    Raises:
        OutputError: the codec does not know one of `options`.
    """
    given = {key.removesuffix(":v"): str(value) for key, value in options.items()}
    supported = codec.create().supported_options
    names = {option.name for option in (*supported.generic, *supported.private)}
    for key in given:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            hint = f"; did you mean '{near[0]}'?" if near else "."
            raise OutputError(f"The codec {codec.name} has no option '{key}'{hint}")
    chosen = dict(DEFAULTS.get(codec.name, {}) if defaults is None else defaults)
    if given.keys() & _RATE_OPTIONS:
        chosen = {key: value for key, value in chosen.items() if key not in _RATE_OPTIONS}
    chosen.update(given)
    if codec.name == "libx265":  # it writes its log straight to stderr
        chosen["x265-params"] = "log-level=error:" + chosen.get("x265-params", "")
    return chosen


def _find(name: str) -> av.Codec:
    try:
        codec = av.Codec(name, "w")
    except (ValueError, av.error.FFmpegError) as error:
        raise OutputError(f"There is no video encoder '{name}'; libx264, libx265 and libvpx-vp9 are some.") from error
    if codec.type != "video":
        raise OutputError(f"'{name}' is not a video codec.")
    return codec


class Encoder:
    """Encodes frames of `info` into a new video stream of `container`; `defaults` as in `resolve_options`."""

    def __init__(self, container: OutputContainer, info: VideoInfo, name: str, options: dict[str, str],
                 defaults: dict[str, str] | None = None) -> None:
        codec = _find(name)
        chosen = resolve_options(codec, options, defaults)
        self._info = info
        self._durations: dict[int, int] = {}
        odd = bool(info.width % 2 or info.height % 2)
        self.full_chroma = odd and codec.name in _EVEN_ONLY
        if codec.name == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only; otherwise it narrates on stderr
        try:
            told = chosen if self.full_chroma else option_for(info.chroma_location) | chosen
            stream = cast(av.VideoStream, container.add_stream(codec.name, rate=info.frame_rate, options=told))
        except ValueError as error:
            raise OutputError(f"A {container.format.name} file cannot hold {codec.name} video.") from error
        self._tag(stream, self._format(codec))
        try:
            stream.codec_context.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise OutputError(
                f"The codec {codec.name} refuses {info.width}x{info.height} with {_listed(chosen)} ({reason(error)})."
            ) from error
        self.stream = stream

    def _format(self, codec: av.Codec) -> str:
        name = ("yuv444p" if self.full_chroma else "yuv420p") + ("10le" if self._info.bit_depth == 10 else "")
        formats = [f.name for f in codec.video_formats or []]
        if formats and name not in formats:
            bits = self._info.bit_depth
            raise OutputError(f"The codec {codec.name} cannot hold {bits}-bit YUV 4:2:0; choose another with -c:v.")
        return name

    def _tag(self, stream: av.VideoStream, pixels: str) -> None:
        info, context = self._info, stream.codec_context
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, pixels
        context.time_base = stream.time_base = info.time_base
        context.color_primaries, context.color_trc, context.colorspace = info.primaries, info.transfer, info.matrix
        context.color_range = int(range_for(info.full_range))
        if info.sar:
            context.sample_aspect_ratio = info.sar
        if info.rotation:
            stream.set_display_rotation(-info.rotation)  # PyAV turns counter-clockwise

    def encode(self, frame: Frame | None) -> Iterator[av.Packet]:
        """Packets that are ready after `frame`; None drains."""
        picture = None
        if frame is not None:
            picture = self._full_chroma(frame) if self.full_chroma else to_av(frame, self._info)
            self._durations[frame.pts] = frame.duration or self._info.frame_ticks
        for packet in self.stream.encode(picture):
            # Encoders forget durations, and the last frame's is known from nothing else.
            if packet.pts is not None and packet.pts in self._durations:
                packet.duration = self._durations.pop(packet.pts)
            yield packet

    def _full_chroma(self, frame: Frame) -> av.VideoFrame:
        info = self._info
        u, v = (plane.repeat(2, 0).repeat(2, 1)[: info.height, : info.width] for plane in (frame.u, frame.v))
        return to_av(Frame(frame.pts, frame.y, u, v), info, pixel_format(info).replace("420", "444"))


def _listed(options: dict[str, str]) -> str:
    return "options " + " ".join(f"{key}={value}" for key, value in options.items()) if options else "its defaults"
