"""The work of `xvc demo`: make or take a clip, encode, decode, and set source and result side by side."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

import xvcodec
from xvcodec.media import open_video, synthesise, to_rgb

from .console import Console
from .progress import meter

PROMPT = "colourful waves drift slowly, a disc with another pattern crosses them, and white letters say XVC DEMO"
_GAP = 8  # columns between the two pictures


@dataclass(frozen=True)
class Outcome:
    """What the demonstration shows."""

    clip: Path
    stream: Path
    reconstruction: Path
    picture: Path
    frames: int
    width: int
    height: int
    source_bytes: int
    total_bytes: int
    video_bytes: int
    bpp: float
    psnr: float
    encode_seconds: float
    decode_seconds: float
    runtime: str

    def table(self) -> str:
        """The figures for people."""
        share = 100 * self.total_bytes / max(1, self.source_bytes)
        rows = {
            "clip": f"{self.clip}, {self.frames} frames of {self.width}x{self.height}, {self.source_bytes} bytes",
            "size": f"{self.total_bytes} bytes ({share:.1f} % of the clip; video {self.video_bytes} bytes)",
            "rate": f"{self.bpp:.4f} bits per pixel",
            "quality": f"{self.psnr:.2f} dB PSNR (RGB, mean over the frames)",
            "encode": self._speed(self.encode_seconds),
            "decode": self._speed(self.decode_seconds),
            "runtime": self.runtime,
            "files": f"{self.stream}, {self.reconstruction}, {self.picture}",
        }
        return "\n".join(f"{name:9} {text}" for name, text in rows.items())

    def _speed(self, seconds: float) -> str:
        return f"{seconds:.1f} s ({self.frames / max(seconds, 1e-9):.1f} frames a second)"


class Showcase:
    """One demonstration in `folder`, which exists; files of an earlier one are replaced."""

    def __init__(self, console: Console, folder: Path, options: xvcodec.EncodeOptions) -> None:
        self._console, self._folder, self._options = console, folder, options

    def run(self, clip: str | None) -> Outcome:
        """Encode and decode `clip`, or one that is made here. Raises what the library raises."""
        options, console = self._options, self._console
        if clip is None:
            path = self._folder / "clip.mp4"
            console.say("info", f"Making a clip, '{path}'.")
            synthesise(path)
            options = replace(options, prompt=PROMPT if options.prompt is None else options.prompt)
        else:
            path = Path(clip)
        stream, video = self._folder / "out.xvc", self._folder / "reconstruction.mp4"
        with meter(console, None) as report:
            encoded = xvcodec.encode(path, stream, options, report)
        console.warn(encoded.warnings)
        started = time.monotonic()
        choice = xvcodec.DecodeOptions(backend=options.backend, device=options.device)
        with meter(console, None) as report:
            decoded = xvcodec.decode(stream, video, choice, report)
        console.warn(decoded.warnings)
        seconds = time.monotonic() - started
        picture = self._folder / "side-by-side.png"
        side_by_side(path, video, decoded.frames // 2, picture)
        return Outcome(
            path, stream, video, picture, encoded.frames, encoded.width, encoded.height, path.stat().st_size,
            encoded.total_bytes, encoded.video_bytes, encoded.bpp, encoded.psnr or 0.0, encoded.seconds, seconds,
            encoded.runtime,
        )  # fmt: skip


def side_by_side(clip: Path, reconstruction: Path, number: int, target: Path) -> None:
    """Write frame `number` of the clip (left) and of its reconstruction (right) as one picture."""
    left, right = _picture(clip, number), _picture(reconstruction, number)
    gap = np.full((left.shape[0], _GAP, 3), 255, np.uint8)
    target.write_bytes(png(np.concatenate([left, gap, right], axis=1)))


def _picture(path: Path, number: int) -> NDArray[np.uint8]:
    """Frame `number` of a video, or its last one, as uint8 RGB [H, W, 3]."""
    with open_video(path, audio=False) as reader:
        *_, frame = itertools.islice(reader.frames(), number + 1)
        return to_rgb(frame, reader.info)


def png(rgb: NDArray[np.uint8]) -> bytes:
    """A PNG file of uint8 RGB [H, W, 3]."""
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = rgb.shape[1], rgb.shape[0], "rgb24"
    encoder.time_base = Fraction(1, 25)
    packets = [*encoder.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
