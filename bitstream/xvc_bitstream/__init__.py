"""Bytes of the `.xvc` container and its entropy coders. No torch, no models; SPEC.md says what the bytes mean."""

from .captions import read_captions, validate_captions, write_captions
from .coders import Coder, bits, get_coder
from .edit import replace_captions, truncate
from .errors import BitstreamError, CoderError, DamagedError, FormatError, UsageError
from .files import atomic_open
from .reader import Reader
from .records import (
    OPEN_END,
    AudioPacket,
    AudioTrack,
    Caption,
    Chapter,
    Damage,
    Gop,
    GopEntry,
    Header,
    Poster,
    Stream,
)
from .tables import TableSet, log_scales
from .writer import Writer

__all__ = [
    "OPEN_END",
    "AudioPacket",
    "AudioTrack",
    "BitstreamError",
    "Caption",
    "Chapter",
    "Coder",
    "CoderError",
    "Damage",
    "DamagedError",
    "FormatError",
    "Gop",
    "GopEntry",
    "Header",
    "Poster",
    "Reader",
    "Stream",
    "TableSet",
    "UsageError",
    "Writer",
    "atomic_open",
    "bits",
    "get_coder",
    "log_scales",
    "pieces",
    "read_captions",
    "replace_captions",
    "truncate",
    "validate_captions",
    "write_captions",
]
