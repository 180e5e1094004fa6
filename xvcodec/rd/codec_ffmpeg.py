"""The encoders of FFmpeg that PyAV has, in a study: constant quality, default tuning, the study's key-frame interval."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from xvcodec.errors import OutputError, UsageError, XvcError
from xvcodec.media import open_video
from xvcodec.media.encoder import Encoder
from xvcodec.media.sink import Placeholder, reason
from xvcodec.media.types import Frame, VideoInfo

from .clips import Clip
from .codecs import Codec, Coded, Conditions, joined
from .ladder import Scale

_SCALES = {
    "libx264": Scale(0, 51, 25, 36), "libx265": Scale(0, 51, 26, 37), "libsvtav1": Scale(1, 63, 45, 61),
    "libvpx-vp9": Scale(0, 63, 36, 56), "libvpx": Scale(4, 63, 20, 45), "libaom-av1": Scale(0, 63, 34, 54),
}  # fmt: skip
_BY_SETTING = {"crf": Scale(0, 51, 25, 36), "cq": Scale(1, 51, 28, 40), "quality": Scale(100, 0, 80, 15),
               "qscale": Scale(1, 31, 4, 20)}  # fmt: skip
_QSCALE = ("mjpeg", "mpeg4")
_TAKEN = ("g", "threads", "qp", "cq", "quality", "qmin", "qmax", "rc", "b")
_RAW = {"h264": ("h264", ".h264"), "hevc": ("hevc", ".hevc"), "av1": ("obu", ".obu"), "vp8": ("ivf", ".ivf"),
        "vp9": ("ivf", ".ivf"), "mjpeg": ("mjpeg", ".mjpg"), "webp": ("webp", ".webp")}  # fmt: skip
"""Files are the bare stream where there is such a form: a container's 0.8 to 1.4 kB would speak for us at low rates."""
_MATROSKA = ("matroska", ".mkv")
_STILLS = ("webp",)
_ABOUT_X264 = re.compile(rb"\x00?\x00\x00\x01\x06\x05[^\x00]+x264 - core[^\x00]+\x00\x80")
"""What x264 writes about itself into every file, an SEI message of 0.7 kB; it has no option that leaves it out."""


class FfmpegCodec(Codec):
    """One encoder with its options. Encoders write no text about themselves into the files."""

    kind = "ffmpeg"

    def __init__(self, encoder: str, options: dict[str, str], fixed: tuple[float, ...] | None) -> None:
        self.name, self.fixed = joined(encoder, options), fixed
        self._encoder, self._options = encoder, options
        try:
            codec = av.Codec(encoder, "w")
        except (ValueError, av.error.FFmpegError):
            codec = None
        if codec is None or codec.type != "video":
            raise UsageError(f"--codec '{self.name}': there is no model of xvc and, in this build of PyAV, no video encoder "
                             f"'{encoder}'; `xvc models` lists the models; libx264, libx265 and libsvtav1 are encoders.")
        if taken := sorted(options.keys() & set(_TAKEN)):
            raise UsageError(f"--codec '{self.name}': {taken[0]} is set by the study; use -g, --threads and crf=a,b,c.")
        supported = codec.create().supported_options
        private = {option.name for option in supported.private}
        if unknown := sorted(options.keys() - private - {option.name for option in supported.generic}):
            raise UsageError(f"--codec '{self.name}': {encoder} has no option '{unknown[0]}'.")
        self._stills = codec.canonical_name in _STILLS
        self._form = _RAW.get(codec.canonical_name, _MATROSKA)
        kinds = [kind for kind in ("crf", "cq", "quality") if kind in private]
        self.setting = kinds[0] if kinds else "qscale" if encoder in _QSCALE else ""
        if not self.setting:
            raise UsageError(f"--codec '{self.name}': {encoder} has no constant quality that a study could step through.")
        versions = ".".join(map(str, av.library_versions["libavcodec"]))
        self.version = f"FFmpeg {av.ffmpeg_version_info}, libavcodec {versions}, PyAV {av.__version__}"

    def scale(self) -> Scale:
        """By encoder where it is known, else by the kind of its setting."""
        return _SCALES.get(self._encoder, _BY_SETTING[self.setting])

    def suffix(self, clip: Clip) -> str:
        """Of the bare stream, else .mkv."""
        return self._form[1]

    def identity(self, clip: Clip, setting: float, conditions: Conditions) -> dict[str, str]:
        """Every option that the encoder is given."""
        return {"options": " ".join(f"{key}={value}" for key, value in self._settings(setting, conditions).items())}

    def check(self, clip: Clip, conditions: Conditions) -> None:
        """Open the encoder for pictures of this size and depth."""
        if clip.kind == "video" and self._stills:
            raise UsageError(f"{self.name} codes pictures only, and '{clip.name}' is a video.")
        try:
            with av.open("null", "w", format="null") as container:
                self._open(container, clip, self.scale().high, conditions)
        except OutputError as error:
            hint = " It needs an NVIDIA GPU that can encode." if self._encoder.endswith("_nvenc") else ""
            raise OutputError(f"{self.name} on '{clip.name}': {error}{hint}") from error

    def encode(self, clip: Clip, setting: float, target: Path, conditions: Conditions) -> None:
        """Encode the frames of the clip."""
        place = Placeholder(target)
        try:
            with av.open(str(place.path), "w", format=self._form[0]) as container:
                encoder = self._open(container, clip, setting, conditions)
                container.start_encoding()
                for frame in clip.read():
                    container.mux(list(encoder.encode(_padded(frame))))
                container.mux(list(encoder.encode(None)))
            if self._encoder == "libx264":
                place.path.write_bytes(_ABOUT_X264.sub(b"", place.path.read_bytes(), count=1))
            place.commit()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise OutputError(f"'{target}' cannot be written ({reason(error)})") from error
        finally:
            place.discard()  # nothing is there after a commit

    def decode(self, file: Path, clip: Clip) -> Generator[Frame, None, None]:
        """Decode, and cut off what was padded."""
        with open_video(file, audio=False) as reader:
            for frame in reader.frames():
                yield _cropped(frame, clip.info)

    def inspect(self, file: Path, conditions: Conditions) -> Coded:
        """Packets are pictures, all else is overhead; key frames are counted in the order in which frames are shown."""
        pictures, keys = 0, []  # whether each frame is a key frame
        with av.open(str(file)) as container:
            for packet in container.demux(video=0):
                pictures += packet.size
                # not the packets' flags: behind an open GOP's key frame come packets of frames that are shown before it
                keys += [frame.key_frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
        starts = [number for number, key in enumerate(keys) if key and number]
        longest = int(np.diff([0, *starts, len(keys)]).max())
        if longest > conditions.gop:
            raise XvcError(f"it wrote {longest} frames from one key frame to the next, but -g is {conditions.gop}: this "
                           "encoder does not keep to the interval, and cannot take part")
        size = file.stat().st_size
        return Coded(size, size - pictures)

    def _open(self, container: av.container.OutputContainer, clip: Clip, setting: float, conditions: Conditions) -> Encoder:
        return Encoder(container, _even(clip.info), self._encoder, self._settings(setting, conditions), defaults={})

    def _settings(self, setting: float, conditions: Conditions) -> dict[str, str]:
        """The encoder's options at one quality."""
        options = {"g": str(conditions.gop), "threads": str(conditions.threads)}
        if self.setting == "qscale":
            options |= {"qmin": f"{setting:g}", "qmax": f"{setting:g}"}  # PyAV's frames carry no quality for -qscale
        else:
            options[self.setting] = f"{setting:g}"
        if self.setting == "cq":
            options |= {"rc": "vbr", "b": "0"}
        if self._encoder in ("libvpx-vp9", "libaom-av1"):
            options["b"] = "0"  # else crf is only a lower limit
        if self._encoder == "libvpx":
            options["b"] = "1G"  # for VP8, 0 is a usual rate, and crf counts below the rate only
        if self._encoder == "mjpeg":
            options["strict"] = "unofficial"  # else it refuses samples of limited range
        options |= self._options
        if self._encoder == "libx265":  # else it writes 2.4 kB about itself into every file
            options["x265-params"] = ":".join(filter(None, ["info=0", self._options.get("x265-params")]))
        return options


def _even(info: VideoInfo) -> VideoInfo:
    """4:2:0 of an odd size is padded to an even one."""
    rate = info.frame_rate if info.frame_rate > 0 else Fraction(25)
    return replace(info, width=info.width + info.width % 2, height=info.height + info.height % 2, frame_rate=rate)


def _padded(frame: Frame) -> Frame:
    """Luma with its last row and column repeated where they are odd in number; chroma has the right size already."""
    height, width = frame.y.shape
    if height % 2 == 0 and width % 2 == 0:
        return frame
    rows, columns = (np.minimum(np.arange(side + side % 2), side - 1) for side in (height, width))
    return replace(frame, y=frame.y[rows[:, None], columns])


def _cropped(frame: Frame, info: VideoInfo) -> Frame:
    if frame.y.shape == (info.height, info.width):
        return frame
    return replace(frame, y=frame.y[: info.height, : info.width].copy())
