"""Clips and sessions for the tests of the codec: small moving textures of any size, and models put on a runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from xvc_bitstream import AudioPacket, AudioTrack, Gop, get_coder

import xvcodec
from xvcodec.codec.entropy import StreamReader
from xvcodec.codec.guidance import Guidance
from xvcodec.codec.planes import padded_size
from xvcodec.codec.session import Session
from xvcodec.families import family_of
from xvcodec.media import Frame, VideoInfo, open_video, open_writer, to_rgb
from xvcodec.models.weights import LoadedModel
from xvcodec.options import DecodeOptions, EncodeOptions
from xvcodec.runtime.base import Runtime
from xvcodec.runtime.torch_runtime import TorchRuntime
from xvcodec.text.load import load_text_encoder

INFO = VideoInfo(64, 48, primaries=1, transfer=1, matrix=1, time_base=Fraction(1, 90000), frame_rate=Fraction(30))
FAST = {"model": "crossmodal-fast", "backend": "torch", "device": "cpu"}
QUICK = DecodeOptions(backend="torch", device="cpu")
STEP = 3000


def options(**more: Any) -> EncodeOptions:
    """Options of a quick encode."""
    return EncodeOptions(**{**FAST, "gop": 8, **more})


def steady(count: int) -> tuple[int, ...]:
    """`count` timestamps at 30 frames a second."""
    return tuple(range(0, count * STEP, STEP))


def texture(info: VideoInfo, times: Sequence[int], seed: int = 0) -> list[Frame]:
    """Smooth waves that drift by 2 and 1 pixels a frame, one frame a timestamp."""
    top = 1023 if info.bit_depth == 10 else 255
    kind = np.uint16 if info.bit_depth == 10 else np.uint8
    phase = np.random.default_rng(seed).uniform(0, 6.28, 8)

    def waves(rows: int, columns: int, t: float, which: int, size: float) -> np.ndarray:
        x, y = np.arange(columns) + 2 * t, np.arange(rows)[:, None] + t
        value = np.sin(0.31 * x + 0.12 * y + phase[which]) + 0.6 * np.sin(0.7 * y - 0.2 * x + phase[which + 1])
        return np.round((0.5 + size * value) * top).clip(0, top).astype(kind)

    frames = []
    for n, pts in enumerate(times):
        following = times[n + 1] - pts if n + 1 < len(times) else STEP
        rows, columns = info.chroma_size
        frames.append(Frame(pts, waves(info.height, info.width, n, 0, 0.22), waves(rows, columns, n / 2, 2, 0.1),
                            waves(rows, columns, n / 2, 4, 0.1), following))
    return frames


def write_clip(path: Path, info: VideoInfo, frames: Sequence[Frame], tracks: Sequence[AudioTrack] = (),
               packets: Sequence[AudioPacket] = (), codec: str = "ffv1", **more: Any) -> Path:
    """Write a lossless Matroska file (FFV1 unless told otherwise; times are rounded to a millisecond)."""
    timed: list[tuple[Fraction, Any]] = [(frame.pts * info.time_base, frame) for frame in frames]
    timed += [((p.pts or 0) * Fraction(*tracks[p.track].time_base), p) for p in packets]
    with open_writer(path, info, codec=codec, tracks=list(tracks), **more) as writer:
        for _, item in sorted(timed, key=lambda pair: pair[0]):
            (writer.write if isinstance(item, Frame) else writer.audio)(item)
    return path


def y4m(info: VideoInfo, frames: Sequence[Frame]) -> bytes:
    """The frames as y4m."""
    import io

    sink = io.BytesIO()
    with open_writer(sink, info) as writer:
        for frame in frames:
            writer.write(frame)
    return sink.getvalue()


def read_clip(source: Any, **more: Any) -> tuple[VideoInfo, list[Frame], list[AudioPacket]]:
    """Everything of a video file."""
    with open_video(source, **more) as reader:
        items = list(reader)
        frames = [item for item in items if isinstance(item, Frame)]
        return reader.info, frames, [item for item in items if isinstance(item, AudioPacket)]


def session_on(model: LoadedModel, runtime: Runtime | None = None, coder: str = "constriction") -> Session:
    """A session on a runtime of the test's choice, torch in float32 when none is given."""
    runtime = runtime or TorchRuntime(model.module, "cpu", "float32")
    guidance = Guidance(load_text_encoder(), model.module.config.text, runtime.device)
    return Session(model, family_of(model.module).codec(model, runtime), runtime, get_coder(coder), guidance)


def symbols_of(session: Session, gop: Gop, height: int, width: int) -> dict[str, np.ndarray]:
    """Every integer of a GOP, by stream, as the session decodes it."""
    read = StreamReader(gop, session.coder, session.model.tables)
    size = padded_size(height, width, session.codec.requirements.multiple_of)
    return session.codec.integers(session.codec.decode_symbols(len(gop.pts), *size, gop.quality / 256.0, read))


def same_arrays(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether two GOPs have equal integers."""
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def same_planes(a: Frame, b: Frame) -> bool:
    """Whether all three planes are equal, type included."""
    return all(p.dtype == q.dtype and np.array_equal(p, q) for p, q in zip(a.planes, b.planes, strict=True))


def largest_difference(a: Sequence[Frame], b: Sequence[Frame]) -> int:
    """Largest difference of any sample of two clips, levels."""
    return max(int(np.abs(p.astype(int) - q.astype(int)).max())
               for one, other in zip(a, b, strict=True) for p, q in zip(one.planes, other.planes, strict=True))


def frames_of(path: Any, **more: Any) -> list[Frame]:
    """Decoded frames of an .xvc file."""
    with xvcodec.open(path, replace(QUICK, **more)) as video:
        return list(video.frames())


def psnr(a: Sequence[Frame], b: Sequence[Frame], info: VideoInfo) -> float:
    """Mean PSNR-RGB, computed here."""
    errors = [np.mean((to_rgb(x, info).astype(float) - to_rgb(y, info)) ** 2) for x, y in zip(a, b, strict=True)]
    return float(np.mean([10 * np.log10(255**2 / error) for error in errors]))
