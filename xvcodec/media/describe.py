"""What a container says about its streams, as the library's own records."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import av
from av.container import InputContainer
from xvc_bitstream import limits
from xvc_bitstream.errors import UsageError as RecordError
from xvc_bitstream.records import AudioTrack, Chapter

from .normalise import colour_of, nominal_rate, rotation_of
from .siting import location_of
from .source import seconds
from .trim import Window
from .types import VideoInfo

# Tags that describe the old container rather than the video.
_STRUCTURAL = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "handler_name", "vendor_id"}


def describe_video(
    container: InputContainer, stream: av.VideoStream, picture: av.VideoFrame, window: Window, counts: Counter[str]
) -> VideoInfo:
    """The VideoInfo of `stream`, whose first decoded picture is `picture`; `counts` gets what cannot be carried."""
    colour = colour_of(picture)
    if any(component.is_alpha for component in picture.format.components):
        counts["transparency is not kept"] += 1
    angle, mirrored = rotation_of(picture)
    rotation = round(angle / 90) * 90 % 360
    if mirrored or rotation != angle:
        counts["the display matrix mirrors or turns by an odd angle; only its quarter turns are kept"] += 1
    rate, length = nominal_rate(stream), _length(container, stream, window)
    return VideoInfo(
        width=picture.width,
        height=picture.height,
        bit_depth=colour.bit_depth,
        sar=_rational(stream.sample_aspect_ratio) or Fraction(0),
        rotation=rotation,
        primaries=colour.primaries,
        transfer=colour.transfer,
        matrix=colour.matrix,
        full_range=colour.full_range,
        chroma_location=location_of(picture) if colour.kind == "direct" else 0,
        time_base=_rational(stream.time_base) or Fraction(1, 1000),
        frame_rate=_rational(rate) or Fraction(25),
        frames=_frames(stream, window, length, rate),
        duration_us=None if length is None else round(length * 1_000_000),
    )


def _rational(value: Fraction | None) -> Fraction | None:
    """`value` where it is positive and fits FFmpeg's pair of 32-bit integers."""
    fits = value is not None and 0 < value.numerator <= limits.MAX_RATE and value.denominator <= limits.MAX_RATE
    return value if fits else None


def _length(container: InputContainer, stream: av.VideoStream, window: Window) -> Fraction | None:
    length = seconds(stream.duration, stream.time_base)
    if length is None and container.duration:
        length = Fraction(container.duration, av.time_base)
    if length is not None:
        length = max(Fraction(0), length - (window.start or 0))
    known = [value for value in (length, window.length) if value is not None]
    return min(known) if known else None


def _frames(stream: av.VideoStream, window: Window, length: Fraction | None, rate: Fraction) -> int | None:
    if stream.frames and not window.bounded:
        return stream.frames
    return None if length is None else max(1, round(length * rate))


def audio_track(stream: av.AudioStream) -> AudioTrack | None:
    """The AudioTrack of `stream`, or None when its codec is unknown or its header is nonsense."""
    context = stream.codec_context
    if context is None or stream.time_base is None:
        return None
    language = stream.language or ""
    try:
        return AudioTrack(
            codec=context.codec.canonical_name,
            time_base=(stream.time_base.numerator, stream.time_base.denominator),
            sample_rate=context.sample_rate,
            layout=context.layout.name,
            extradata=context.extradata or b"",
            language="" if language == "und" else language[: limits.MAX_LANGUAGE],
            title=stream.metadata.get("title", "")[: limits.MAX_TITLE // 4],
            bit_rate=context.bit_rate or 0,
            frame_size=context.frame_size,
        )
    except RecordError:
        return None


def read_tags(container: InputContainer) -> dict[str, str]:
    """The container's tags, keys in lower case, without those that only describe the container."""
    tags = {key.lower(): value for key, value in container.metadata.items()}
    kept = {k: v for k, v in tags.items() if k not in _STRUCTURAL and 0 < len(k.encode()) <= limits.MAX_TAG_KEY}
    return {k: v for k, v in list(kept.items())[: limits.MAX_TAGS] if len(v.encode()) <= limits.MAX_TAG_VALUE}


def read_chapters(container: InputContainer, window: Window) -> list[Chapter]:
    """The container's chapters inside `window`, in shifted time."""
    chapters = []
    for entry in container.chapters()[: limits.MAX_CHAPTERS]:
        ticks = entry["time_base"] or Fraction(1)
        start, end = entry["start"] * ticks, entry["end"] * ticks
        if (end <= window.first and window.shifts) or not window.before_end(start):
            continue
        first, last = (max(0, round((moment - window.shift) * 1_000_000)) for moment in (start, end))
        title = entry["metadata"].get("title", "")[: limits.MAX_TITLE // 4]
        chapters.append(Chapter(first, max(first, last), title))
    return chapters
