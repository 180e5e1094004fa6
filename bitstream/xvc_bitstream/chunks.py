"""Chunks: four letters, a length, a payload, a CRC-32; and the zstandard frames inside some of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import zstandard

from . import limits
from .errors import DamagedError, FormatError, UsageError

MAGIC = b"\x89XVC\r\n\x1a\n"  # PNG's trick: catches 7-bit channels, line-end translation and `type`
MAJOR, MINOR = 1, 0
PREAMBLE = len(MAGIC) + 2
HEAD_SIZE = 8  # type and length
OVERHEAD = 12  # and the CRC

HEADER, TRACKS, CAPTIONS, TAGS, CHAPTERS, POSTER = b"HEAD", b"TRAK", b"CAPT", b"TAGS", b"CHAP", b"POST"
GOP, AUDIO, INDEX, END = b"GOPF", b"AUDI", b"INDX", b"DONE"
METADATA = (TRACKS, CAPTIONS, TAGS, CHAPTERS, POSTER)
KNOWN = (HEADER, *METADATA, GOP, AUDIO, INDEX, END)

_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@dataclass(frozen=True)
class ChunkRef:
    """A chunk in a file: where its type field begins and how long its payload is."""

    type: bytes
    offset: int
    length: int

    @property
    def size(self) -> int:
        """Bytes of the whole chunk."""
        return self.length + OVERHEAD


def chunk(kind: bytes, payload: bytes) -> bytes:
    """The bytes of a chunk. The CRC-32 (as in PNG and zip) covers type, length and payload."""
    if len(payload) > limits.MAX_CHUNK:
        raise UsageError("a chunk would be longer than 2 GiB; use shorter GOPs (-g)")
    head = kind + len(payload).to_bytes(4, "little")
    crc = zlib.crc32(payload, zlib.crc32(head))
    return b"".join((head, payload, crc.to_bytes(4, "little")))


def is_type(kind: bytes) -> bool:
    """Whether four bytes can be a chunk type: capital letters and digits."""
    return len(kind) == 4 and _LETTERS.issuperset(kind)


def payload_of(data: bytes, ref: ChunkRef, gop_index: int | None = None) -> bytes:
    """The payload of the chunk whose bytes are `data`, once its CRC is right.

    Raises DamagedError that names the chunk, and the GOP when `gop_index` says that it holds one.
    """
    reason = ""
    if len(data) != ref.size:
        reason = "the file ends inside it"
    elif data[:4] != ref.type or int.from_bytes(data[4:8], "little") != ref.length:
        reason = "its head is not what the index says"
    elif zlib.crc32(memoryview(data)[:-4]) != int.from_bytes(data[-4:], "little"):
        reason = "its CRC is wrong"
    if reason:
        raise damaged(ref, reason, gop_index)
    return data[HEAD_SIZE:-4]


def damaged(ref: ChunkRef, reason: str, gop_index: int | None = None) -> DamagedError:
    """A DamagedError for `ref` that says what to do."""
    kind = ref.type.decode("latin-1")
    what = f"GOP {gop_index}" if gop_index is not None else f"chunk {kind}"
    text = f"{what} at byte {ref.offset} is damaged ({reason}); use --ignore-errors to go on without it"
    return DamagedError(text, ref.offset, kind, gop_index)


def squeeze(raw: bytes) -> bytes:
    """`raw` as one zstandard frame that says its own size."""
    return zstandard.ZstdCompressor(level=9, write_content_size=True, write_checksum=False).compress(raw)


def unsqueeze(data: bytes, cap: int, what: str) -> bytes:
    """The content of exactly one zstandard frame, at most `cap` bytes.

    The size that the frame announces is checked first: the decompressor allocates it in one piece.
    """
    try:
        parameters = zstandard.get_frame_parameters(data)
        announced = zstandard.frame_content_size(data)
        if announced < 0 or announced > cap or parameters.dict_id:
            raise FormatError(f"{what} would unpack to more than {cap} bytes, or does not say to how many")
        if announced == 0:
            return b""
        raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=cap, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(f"{what} is not a valid zstandard frame ({error})") from None
    return raw
