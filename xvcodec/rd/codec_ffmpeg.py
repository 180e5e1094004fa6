"""FFmpeg's video encoders in a study: whole files, key frames as far apart as everybody's, nothing tuned."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import av

from xvcodec.errors import InputError, UsageError, XvcError
from xvcodec.media import open_video, open_writer
from xvcodec.media.encoder import resolve_options
from xvcodec.media.types import Frame

from .clips import Clip
from .codecs import Codec, Coded, Conditions, joined
from .ladder import Scale

_SCALES = {
    "libx264": Scale(0, 51, 25, 36),
    "libx265": Scale(0, 51, 26, 37),
    "libsvtav1": Scale(1, 63, 32, 52),
    "libvpx-vp9": Scale(0, 63, 32, 52),
    "libaom-av1": Scale(0, 63, 32, 52),
}
_OWN = ("crf", "g", "threads")


class FfmpegCodec(Codec):
    """`libx265:preset=medium`: any video encoder of this PyAV that has the option crf."""

    kind = "ffmpeg"
    setting = "crf"

    def __init__(self, name: str, options: dict[str, str], fixed: tuple[float, ...] | None) -> None:
        self.name, self.encoder, self.options, self.fixed = joined(name, options), name, options, fixed
        try:
            codec = av.Codec(name, "w")
        except (ValueError, av.error.FFmpegError):
            raise UsageError(f"--codec {name} is neither a model of xvc, nor a .safetensors file, nor an encoder of this "
                             "PyAV; `xvc models` lists the models, and libx264, libx265 and libsvtav1 are encoders."
                             ) from None
        if codec.type != "video":
            raise UsageError(f"--codec {name} is not a video encoder.")
        if taken := [key for key in _OWN[1:] if key in options]:
            raise UsageError(f"--codec {self.name}: {taken[0]} is the same for all codecs; use -g and --threads.")
        try:
            resolve_options(codec, {**options, "crf": "30"})
        except XvcError as error:
            raise UsageError(f"--codec {self.name}: {error}") from error
        self.version = f"{name}, libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"

    def scale(self) -> Scale:
        """The encoder's crf."""
        if self.encoder not in _SCALES:
            raise UsageError(f"The crf range of {self.encoder} is not known: give --codec {self.encoder}:crf=20,30,40,50.")
        return _SCALES[self.encoder]

    def suffix(self, clip: Clip) -> str:
        """MP4 where the codec is at home in it."""
        return ".mp4" if self.encoder in _SCALES else ".mkv"

    def identity(self, clip: Clip) -> dict[str, str]:
        """Nothing more."""
        return {}

    def check(self, clip: Clip, conditions: Conditions) -> None:
        """Nothing is known before it is tried."""

    def encode(self, clip: Clip, setting: float, target: Path, conditions: Conditions) -> None:
        """Write an MP4 or MKV without audio."""
        options = {**self.options, "crf": f"{setting:g}", "g": str(conditions.gop), "threads": str(conditions.threads)}
        if self.encoder == "libx265":  # its pool would take every core of the machine
            own = f"pools={conditions.threads}:info=0"
            options["x265-params"] = ":".join(filter(None, (own, options.get("x265-params"))))
        if self.encoder == "libsvtav1":
            own = f"lp={min(conditions.threads, 6)}"
            options["svtav1-params"] = ":".join(filter(None, (own, options.get("svtav1-params"))))
        if self.encoder in ("libvpx-vp9", "libaom-av1"):
            options.setdefault("b", "0")
        with open_writer(target, clip.info, codec=self.encoder, options=options) as writer, closing(clip.read()) as frames:
            for frame in frames:
                writer.write(frame)

    def decode(self, file: Path, clip: Clip) -> Generator[Frame, None, None]:
        """By FFmpeg."""
        with open_video(file, audio=False) as reader:
            yield from reader.frames()

    def inspect(self, file: Path, conditions: Conditions) -> Coded:
        """Count packets and look at the distance of key frames."""
        with av.open(str(file)) as container:
            packets = [(packet.size, packet.is_keyframe) for packet in container.demux(video=0) if packet.size]
        keys = [number for number, (_, key) in enumerate(packets) if key]
        far = max((after - before for before, after in zip(keys, [*keys[1:], len(packets)], strict=True)), default=0)
        if far > conditions.gop:
            raise InputError(f"{self.name} put key frames {far} frames apart where {conditions.gop} were asked for: "
                             "its rate would not compare.")
        size = file.stat().st_size
        return Coded(size, size - sum(count for count, _ in packets))
