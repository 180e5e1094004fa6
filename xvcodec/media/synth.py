"""A clip made on the spot, the same every time: moving texture, text, and a sine sweep as sound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.records import AudioPacket, AudioTrack

from .convert import from_rgb
from .font import text_mask
from .types import VideoInfo
from .writer import open_writer

_RATE = 48000  # audio samples a second
_LOW, _HIGH = 200.0, 2000.0  # Hz, where the sweep begins and ends
_BT709 = 1


def picture(index: int, count: int, size: tuple[int, int], seed: int = 1) -> NDArray[np.uint8]:
    """Frame `index` of `count` as uint8 RGB [H, W, 3]: drifting texture, a patch that crosses it, text on top."""
    width, height = size
    t = index / max(1, count - 1)
    x, y = np.arange(width), np.arange(height)
    image = _texture(x + 60 * t, y + 25 * t, seed)
    # A disc with a texture of its own, so that there is an edge where two motions meet.
    cx, cy, radius = width * (0.15 + 0.7 * t), height * (0.5 + 0.25 * np.sin(6.28 * t)), 0.18 * min(size)
    inside = (x - cx) ** 2 + (y[:, None] - cy) ** 2 < radius**2
    image[inside] = _texture(x - cx + 500, y - cy + 500, seed + 1)[inside][:, ::-1]
    scale = max(1, height // 90)
    _stamp(image, text_mask("XVC DEMO", scale), height // 12, width // 16, 250)
    _stamp(image, text_mask(f"FRAME {index:04d}", scale), height - height // 12 - 7 * scale, width // 16, 20)
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


def _texture(x: NDArray[np.floating], y: NDArray[np.floating], seed: int) -> NDArray[np.float32]:
    """Plane waves of falling amplitude at columns `x` [W] and rows `y` [H], about 10..245, as [H, W, 3].

    sin(a + b) = sin a cos b + cos a sin b makes each channel a product of two thin matrices.
    """
    octaves = np.arange(6)
    wave, swing = 0.02 * 1.9**octaves, 45 / 1.45**octaves
    angle, phase = np.random.default_rng(seed).uniform(0, 6.28, (2, 3, 6, 1))
    a = np.cos(angle) * wave[:, None] * x + phase  # [3, 6, W]
    b = np.sin(angle) * wave[:, None] * y  # [3, 6, H]
    rows = np.concatenate([np.cos(b), np.sin(b)], 1).transpose(0, 2, 1)  # [3, H, 12]
    columns = np.concatenate([np.sin(a), np.cos(a)], 1) * np.tile(swing, 2)[:, None]  # [3, 12, W]
    waves = rows.astype(np.float32) @ columns.astype(np.float32)  # [3, H, W]
    grey = waves.mean(0)  # as in nature, brightness varies more than colour
    return (128 + grey + 0.45 * (waves - grey)).transpose(1, 2, 0).copy()


def _stamp(image: NDArray[np.float32], mask: NDArray[np.bool_], top: int, left: int, level: float) -> None:
    region = image[top : top + mask.shape[0], left : left + mask.shape[1]]
    region[mask[: region.shape[0], : region.shape[1]]] = level


def sweep(seconds: float) -> NDArray[np.float32]:
    """A sine whose pitch rises from 200 to 2000 Hz, float32 [1, samples] at 48 kHz, -0.3..0.3."""
    t = np.arange(round(seconds * _RATE)) / _RATE
    phase = 2 * np.pi * (_LOW * t + (_HIGH - _LOW) * t**2 / (2 * max(seconds, 1e-9)))
    return (0.3 * np.sin(phase)).astype(np.float32)[None]


def encode_sound(samples: NDArray[np.float32], number: int = 0, language: str = "") -> tuple[AudioTrack, list[AudioPacket]]:
    """AAC of `samples` (float32 [1, samples], 48 kHz) as track `number`."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = _RATE, "mono", "fltp"
    encoder.bit_rate, encoder.time_base = 96000, Fraction(1, _RATE)
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.open()
    packets = []
    for frame in _audio_frames(samples, encoder.frame_size):
        for p in encoder.encode(frame):
            packets.append(AudioPacket(number, p.pts, p.dts, p.duration or encoder.frame_size, bytes(p)))
    track = AudioTrack("aac", (1, _RATE), _RATE, "mono", encoder.extradata or b"", language, "", 96000, encoder.frame_size)
    return track, packets


def _audio_frames(samples: NDArray[np.float32], size: int) -> Iterator[av.AudioFrame | None]:
    for start in range(0, samples.shape[1], size):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start : start + size]), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = _RATE, start, Fraction(1, _RATE)
        yield frame
    yield None


def synthesise(
    path: str | os.PathLike[str], seconds: float = 3, size: tuple[int, int] = (640, 360), fps: int = 30
) -> None:
    """Write the demonstration clip to `path` (mp4, mkv or mov): H.264, BT.709 limited, and AAC. Raises OutputError."""
    count = max(1, round(seconds * fps))
    info = VideoInfo(
        *size, primaries=_BT709, transfer=_BT709, matrix=_BT709, sar=Fraction(1), frame_rate=Fraction(fps),
        time_base=Fraction(1, fps * 512), frames=count, duration_us=round(count * 1_000_000 / fps),
    )  # fmt: skip
    track, packets = encode_sound(sweep(count / fps))
    options = {"crf": "10", "preset": "veryfast"}
    with open_writer(path, info, codec="libx264", options=options, tracks=[track]) as writer:
        waiting = iter(packets)
        packet = next(waiting, None)
        for index in range(count):
            while packet is not None and (packet.pts or 0) * fps <= index * _RATE:
                writer.audio(packet)
                packet = next(waiting, None)
            writer.write(from_rgb(picture(index, count, size), info, index * 512, 512))
        while packet is not None:
            writer.audio(packet)
            packet = next(waiting, None)
