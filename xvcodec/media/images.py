"""Write pictures: one `.png` or `.jpg`, or a numbered sequence such as `frame%05d.png`."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.video.reformatter import ColorRange, Colorspace

from xvcodec.errors import OutputError

from .convert import PRECISE, reformatter, to_rgb_av
from .sink import Placeholder, VideoWriter, reason
from .types import Frame, VideoInfo

SUFFIXES = {".png": "png", ".jpg": "mjpeg", ".jpeg": "mjpeg"}


class ImageWriter(VideoWriter):
    """Frames as RGB pictures, by the matrix and range of `info`; PNG keeps 10 bits (in 16), JPEG is BT.601 full."""

    def __init__(self, target: Path, info: VideoInfo, sequence: bool) -> None:
        super().__init__()
        self._info, self._target, self._sequence = info, target, sequence
        self._count = 0
        self._jpeg = SUFFIXES[target.suffix.lower()] == "mjpeg"
        self._format = "yuvj420p" if self._jpeg else "rgb48be" if info.bit_depth == 10 else "rgb24"
        self._encoder = self._make_encoder()
        if info.rotation:
            self.warnings.append(f"Pictures hold no rotation: turn them by {info.rotation} degrees clockwise.")
        self._place = Placeholder(target)
        try:
            self._place.path.mkdir()
        except OSError as error:
            raise OutputError(f"'{target}' cannot be written ({reason(error)}).") from error

    def _make_encoder(self) -> av.VideoCodecContext:
        encoder = cast(av.VideoCodecContext, av.CodecContext.create(SUFFIXES[self._target.suffix.lower()], "w"))
        encoder.width, encoder.height, encoder.pix_fmt = self._info.width, self._info.height, self._format
        encoder.time_base = Fraction(1, 25)
        if self._jpeg:
            encoder.qmin = encoder.qmax = 1
            encoder.color_range = int(ColorRange.JPEG)
        return encoder

    def _picture(self, frame: Frame) -> av.VideoFrame:
        picture = to_rgb_av(frame, self._info, "rgb24" if self._jpeg else self._format)
        if self._jpeg:
            picture = reformatter().reformat(
                picture, format=self._format, interpolation=PRECISE, src_colorspace=Colorspace.ITU601,
                dst_colorspace=Colorspace.ITU601, src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.JPEG,
                threads=1,
            )  # fmt: skip
        picture.pts, picture.time_base = self._count, Fraction(1, 25)
        return picture

    def write(self, frame: Frame) -> None:
        """Encode a frame as the next picture, counting from 1."""
        if self._count and not self._sequence:
            self.abort()
            raise OutputError(f"'{self._target}' is one picture; for more, number them: frame%05d.png.")
        self._count += 1
        try:
            data = b"".join(bytes(packet) for packet in self._encoder.encode(self._picture(frame)))
            (self._place.path / self._name(self._count)).write_bytes(data)
        except (av.error.FFmpegError, OSError) as error:
            self.abort()
            raise OutputError(f"'{self._target}' cannot be written ({reason(error)}).") from error

    def _name(self, number: int) -> str:
        return self._target.name % number if self._sequence else self._target.name

    def close(self) -> None:
        """Move the pictures to their names."""
        folder = self._target.parent
        try:
            for number in range(1, self._count + 1):
                os.replace(self._place.path / self._name(number), folder / self._name(number))
        except OSError as error:
            raise OutputError(f"'{self._target}' cannot be written ({reason(error)}).") from error
        finally:
            self._place.discard()

    def abort(self) -> None:
        """Remove the pictures made so far."""
        self._place.discard()
