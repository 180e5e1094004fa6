"""Clips for the tests of media: frames with a pattern that shows every shift, and short ways to write and read."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from xvc_bitstream.records import AudioPacket, AudioTrack

from xvcodec.media import Frame, VideoInfo, open_video, open_writer
from xvcodec.media.synth import encode_sound, sweep

INFO = VideoInfo(64, 48, primaries=1, transfer=1, matrix=1, time_base=Fraction(1, 90000), frame_rate=Fraction(30))
VFR = (0, 3000, 9500, 9600, 30000)


def make_frames(info: VideoInfo, times: tuple[int, ...], duration: int = 3000) -> list[Frame]:
    """One frame a timestamp: a moving gradient in luma, other gradients in chroma."""
    scale = 4 if info.bit_depth == 10 else 1
    dtype = np.uint16 if info.bit_depth == 10 else np.uint8
    rows, columns = info.chroma_size
    frames = []
    for number, pts in enumerate(times):
        y = (np.add.outer(np.arange(info.height), np.arange(info.width)) * 2 + 5 * number) % 200 + 20
        u = (np.add.outer(np.arange(rows), np.arange(columns) * 2) + 90) % 120 + 60
        v = (np.add.outer(np.arange(rows) * 2, np.arange(columns)) + number) % 120 + 60
        following = times[number + 1] - pts if number + 1 < len(times) else duration
        frames.append(Frame(pts, *((plane * scale).astype(dtype) for plane in (y, u, v)), following))
    return frames


def steady(count: int, step: int = 3000) -> tuple[int, ...]:
    """`count` timestamps at a constant rate."""
    return tuple(range(0, count * step, step))


def two_sounds(seconds: float) -> tuple[list[AudioTrack], list[AudioPacket]]:
    """Two AAC tracks of different sound and language."""
    first, packets = encode_sound(sweep(seconds), 0, "eng")
    second, others = encode_sound(sweep(seconds)[:, ::-1].copy(), 1, "deu")
    return [first, second], packets + others


def write_clip(
    path: Path, info: VideoInfo, frames: list[Frame], tracks: list[AudioTrack] = [],  # noqa: B006 - not changed
    packets: list[AudioPacket] = [], **more: Any,  # noqa: B006
) -> list[str]:  # fmt: skip
    """Write frames and packets in time order; returns the writer's warnings."""
    timed: list[tuple[Fraction, Frame | AudioPacket]] = [(f.pts * info.time_base, f) for f in frames]
    timed += [((p.pts or 0) * Fraction(*tracks[p.track].time_base), p) for p in packets]
    with open_writer(path, info, tracks=tracks, **more) as writer:
        for _, item in sorted(timed, key=lambda pair: pair[0]):
            if isinstance(item, Frame):
                writer.write(item)
            else:
                writer.audio(item)
    return writer.warnings


def read_clip(source: Any, **more: Any) -> tuple[VideoInfo, list[Frame], list[AudioPacket]]:
    """Everything of a clip."""
    with open_video(source, **more) as reader:
        items = list(reader)
        frames = [item for item in items if isinstance(item, Frame)]
        return reader.info, frames, [item for item in items if isinstance(item, AudioPacket)]


def hashes(packets: list[AudioPacket], track: int) -> list[str]:
    """SHA-256 of the bytes of each packet of a track, in order."""
    return [hashlib.sha256(packet.data).hexdigest() for packet in packets if packet.track == track]


def times(info: VideoInfo, frames: list[Frame]) -> list[Fraction]:
    """Exact seconds of each frame."""
    return [frame.pts * info.time_base for frame in frames]


def same_planes(a: Frame, b: Frame) -> bool:
    """Whether all three planes are equal, type included."""
    return all(p.dtype == q.dtype and np.array_equal(p, q) for p, q in zip(a.planes, b.planes, strict=True))


def sized(width: int, height: int, **more: Any) -> VideoInfo:
    """INFO with another size."""
    return replace(INFO, width=width, height=height, **more)
