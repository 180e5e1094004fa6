"""The things an `.xvc` file holds, as frozen dataclasses.

Each checks itself when it is made and raises UsageError; parsers turn that into FormatError, so that
writer and reader share one definition of what is allowed.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

from . import limits
from .errors import UsageError

OPEN_END = limits.MAX_PTS
"""`end_us` of a caption or chapter that lasts to the end of the file, however long that is."""

_NAME = re.compile(r"[a-z0-9._-]+")


def require(condition: bool, message: str) -> None:
    """Raise UsageError(message) unless `condition`."""
    if not condition:
        raise UsageError(message)


def require_range(name: str, value: int, low: int, high: int) -> None:
    """Raise UsageError unless `value` is an integer in low..high."""
    require(isinstance(value, int) and low <= value <= high, f"{name} is {value!r}, but must be {low}..{high}")


def require_text(name: str, text: str, cap: int) -> None:
    """Raise UsageError unless `text` is at most `cap` bytes of encodable UTF-8."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise UsageError(f"{name} is not valid Unicode") from None
    require(size <= cap, f"{name} takes {size} bytes, but at most {cap} are allowed")


def require_name(name: str, text: str, cap: int) -> None:
    """Raise UsageError unless `text` is 1..cap characters of a-z, 0-9, dot, underscore, hyphen."""
    require(bool(_NAME.fullmatch(text)) and len(text) <= cap, f"{name} {text!r} must be 1..{cap} of a-z 0-9 . _ -")


@dataclass(frozen=True)
class Header:
    """What holds for the whole file. Colour fields are code points of ITU-T H.273 (2 = unspecified)."""

    width: int  # true picture size in pixels, before any padding of a model's
    height: int
    bit_depth: int  # 8..16, of the source and of the reconstruction
    sar: tuple[int, int]  # sample aspect ratio, (0, 1) unknown
    rotation: int  # degrees clockwise to turn the decoded picture for display: 0, 90, 180, 270
    primaries: int
    transfer: int
    matrix: int
    full_range: bool
    chroma_location: int  # as in FFmpeg's AVChromaLocation: 0 unspecified, 1 left, 2 centre, 3 top left ...
    time_base: tuple[int, int]  # seconds of one tick, as a fraction
    frame_rate: tuple[int, int]  # nominal, (0, 1) unknown; timestamps are what counts
    model: str
    model_hash: bytes  # SHA-256 of weights and tables
    coder: int  # entropy coder id
    text_encoder: str  # "" when the model takes no text

    def __post_init__(self) -> None:
        require_range("width", self.width, 1, limits.MAX_SIDE)
        require_range("height", self.height, 1, limits.MAX_SIDE)
        require(self.width * self.height <= limits.MAX_PIXELS, f"{self.width}x{self.height} is too many pixels")
        require_range("bit depth", self.bit_depth, 8, 16)
        require(self.rotation in (0, 90, 180, 270), f"rotation is {self.rotation!r}, but must be 0, 90, 180 or 270")
        for name, (top, bottom), least in (
            ("sample aspect ratio", self.sar, 0), ("time base", self.time_base, 1), ("frame rate", self.frame_rate, 0),
        ):  # fmt: skip
            require_range(f"{name} numerator", top, least, limits.MAX_RATE)
            require_range(f"{name} denominator", bottom, 1, limits.MAX_RATE)
        for name in ("primaries", "transfer", "matrix", "chroma_location", "coder"):
            require_range(name, getattr(self, name), 0, 255)
        require_name("model", self.model, limits.MAX_MODEL_NAME)
        require(len(self.model_hash) == 32, "model_hash must be 32 bytes")
        if self.text_encoder:
            require_name("text encoder", self.text_encoder, limits.MAX_MODEL_NAME)


@dataclass(frozen=True)
class Stream:
    """One named latent array of a GOP, entropy coded. What the name and axes mean is the model's affair."""

    name: str
    shape: tuple[int, ...]  # of the integers that `payload` decodes to; any rank 0..8
    payload: bytes

    def __post_init__(self) -> None:
        require_name("stream name", self.name, limits.MAX_NAME)
        require(len(self.shape) <= limits.MAX_RANK, f"stream {self.name!r} has more than {limits.MAX_RANK} axes")
        for side in self.shape:
            require_range(f"an axis of stream {self.name!r}", side, 0, limits.MAX_ELEMENTS)
        require(self.elements <= limits.MAX_ELEMENTS, f"stream {self.name!r} has more than 2^29 elements")
        require(len(self.payload) <= limits.MAX_CHUNK, f"stream {self.name!r} is longer than 2 GiB")

    @property
    def elements(self) -> int:
        """How many integers the stream holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Gop:
    """A run of frames that decodes alone."""

    pts: tuple[int, ...]  # one a frame, in ticks of the header's time base, strictly increasing
    duration: int  # of the last frame, in ticks; 0 unknown
    quality: int  # crf * 256, 0..16128
    seed: int  # of whatever a generative decoder draws, 0..2^64-1
    streams: tuple[Stream, ...]

    def __post_init__(self) -> None:
        require(0 < len(self.pts) <= limits.MAX_GOP_FRAMES, f"a GOP holds 1..{limits.MAX_GOP_FRAMES} frames")
        require_range("first pts", self.pts[0], -limits.MAX_PTS, limits.MAX_PTS)
        require_range("last pts", self.pts[-1], -limits.MAX_PTS, limits.MAX_PTS)
        increasing = all(a < b for a, b in itertools.pairwise(self.pts))
        require(increasing, "pts must increase from frame to frame")
        require_range("duration", self.duration, 0, limits.MAX_DURATION)
        require_range("quality", self.quality, 0, limits.MAX_QUALITY)
        require_range("seed", self.seed, 0, limits.MAX_SEED)
        require(len(self.streams) <= limits.MAX_STREAMS, f"a GOP holds at most {limits.MAX_STREAMS} streams")
        names = {stream.name for stream in self.streams}
        require(len(names) == len(self.streams), "two streams of a GOP have the same name")


@dataclass(frozen=True)
class Caption:
    """One cue: plain text (no markup) shown, or given to the decoder, from start to end."""

    start_us: int  # microseconds from the start of the file
    end_us: int  # OPEN_END: to the end of the file
    text: str
    language: str = "en"  # BCP 47

    def __post_init__(self) -> None:
        require_range("caption start", self.start_us, 0, limits.MAX_PTS)
        require_range("caption end", self.end_us, self.start_us, limits.MAX_PTS)
        require_text("a caption", self.text, limits.MAX_CAPTION_BYTES)
        require_text("a caption's language", self.language, limits.MAX_LANGUAGE)


@dataclass(frozen=True)
class Chapter:
    """A titled stretch of time, in microseconds."""

    start_us: int
    end_us: int
    title: str

    def __post_init__(self) -> None:
        require_range("chapter start", self.start_us, 0, limits.MAX_PTS)
        require_range("chapter end", self.end_us, self.start_us, limits.MAX_PTS)
        require_text("a chapter's title", self.title, limits.MAX_TITLE)


@dataclass(frozen=True)
class AudioTrack:
    """What a player needs to open a decoder for packets that are copied untouched."""

    codec: str  # FFmpeg's name: "aac", "opus", "pcm_s16le" ...
    time_base: tuple[int, int]
    sample_rate: int
    layout: str  # FFmpeg's channel layout: "stereo", "5.1(side)" ...
    extradata: bytes = b""
    language: str = ""
    title: str = ""
    bit_rate: int = 0  # 0 unknown
    frame_size: int = 0  # samples a packet, 0 unknown or variable

    def __post_init__(self) -> None:
        require_name("audio codec", self.codec, limits.MAX_CODEC_NAME)
        require_range("audio time base numerator", self.time_base[0], 1, limits.MAX_RATE)
        require_range("audio time base denominator", self.time_base[1], 1, limits.MAX_RATE)
        require_range("sample rate", self.sample_rate, 1, limits.MAX_RATE)
        require_text("channel layout", self.layout, limits.MAX_LAYOUT)
        require(len(self.extradata) <= limits.MAX_EXTRADATA, "audio extradata is larger than 1 MiB")
        require_text("audio language", self.language, limits.MAX_LANGUAGE)
        require_text("audio title", self.title, limits.MAX_TITLE)
        require_range("bit rate", self.bit_rate, 0, limits.MAX_PTS)
        require_range("frame size", self.frame_size, 0, limits.MAX_RATE)


@dataclass(frozen=True)
class AudioPacket:
    """One packet of one track, in ticks of the track's time base."""

    track: int
    pts: int | None
    dts: int | None
    duration: int
    data: bytes
    keyframe: bool = True

    def __post_init__(self) -> None:
        require_range("audio track", self.track, 0, limits.MAX_TRACKS - 1)
        for name, value in (("audio pts", self.pts), ("audio dts", self.dts)):
            if value is not None:
                require_range(name, value, -limits.MAX_PTS, limits.MAX_PTS)
        require_range("audio duration", self.duration, 0, limits.MAX_DURATION)
        require(len(self.data) <= limits.MAX_PACKET, "an audio packet is larger than 64 MiB")


@dataclass(frozen=True)
class Poster:
    """A still picture for file managers."""

    data: bytes
    mime: str  # "image/png", "image/jpeg" ...

    def __post_init__(self) -> None:
        require(len(self.data) <= limits.MAX_POSTER, "the poster is larger than 32 MiB")
        require_text("the poster's mime type", self.mime, limits.MAX_MIME)


@dataclass(frozen=True)
class GopEntry:
    """Where a GOP is and what time it covers, without its payload."""

    offset: int  # of the chunk's first byte in the file
    size: int  # of the whole chunk, head and CRC included
    start_pts: int
    frames: int
    duration: int  # of the whole GOP in ticks: last pts + last frame's duration - start_pts
    quality: int

    @property
    def end_pts(self) -> int:
        """First tick after the GOP."""
        return self.start_pts + self.duration


@dataclass(frozen=True)
class Damage:
    """Something wrong that the reader worked around."""

    offset: int
    chunk_type: str
    gop_index: int | None
    reason: str
