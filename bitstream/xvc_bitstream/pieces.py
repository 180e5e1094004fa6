"""Pieces: a stream named `tokens` is a row of payloads, each of which refines what the ones before it describe.

A prefix of the pieces is a stream in its own right, so a file is made smaller, and a file that was cut off is read,
without the model. Every piece says how fine it is (its level), so that pieces of different GOPs can be compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .errors import FormatError, UsageError
from .gop import pack_gop
from .limits import MAX_CHUNK, MAX_ELEMENTS
from .records import Gop, Stream
from .wire import Cursor, put_uint

NAME = "tokens"
TOKEN = 16
"""Numbers of a token: the stream's shape is [tokens, TOKEN]."""
MAX_LEVEL = 255
MAX_SCANS = 1 << 20


@dataclass(frozen=True)
class Piece:
    """One payload."""

    level: int  # the greater the finer; never falls within a GOP
    scans: int  # steps of the model's walk that it holds
    tokens: int
    payload: bytes


def join(pieces: Sequence[Piece]) -> Stream:
    """The stream of some pieces."""
    out = bytearray()
    for piece in pieces:
        for value in (piece.level, piece.scans, piece.tokens, len(piece.payload)):
            put_uint(out, value)
        out += piece.payload
    return Stream(NAME, (sum(piece.tokens for piece in pieces), TOKEN), bytes(out))


def split(stream: Stream) -> list[Piece]:
    """The pieces of a stream. Raises FormatError unless they fill it exactly and have as many tokens as it says."""
    pieces, rest = _whole(stream.payload)
    levels = [piece.level for piece in pieces]
    if rest or not pieces or stream.shape != (sum(piece.tokens for piece in pieces), TOKEN) or sorted(levels) != levels:
        raise FormatError("the pieces of the tokens contradict each other")
    return pieces


def arrived(stream: Stream) -> Stream | None:
    """What can be used of a stream whose payload was cut off: its whole pieces; None without any."""
    pieces, _ = _whole(stream.payload)
    return join(pieces) if pieces else None


def _whole(data: bytes) -> tuple[list[Piece], int]:
    """The whole pieces at the front of some bytes, and how many bytes are left over."""
    pieces: list[Piece] = []
    cursor = Cursor(data, "a piece of tokens")
    while (start := cursor.position) < len(data):
        try:
            level, scans = cursor.uint(MAX_LEVEL, "a level"), cursor.uint(MAX_SCANS, "the number of scans")
            tokens = cursor.uint(MAX_ELEMENTS // TOKEN, "the number of tokens")
            size = cursor.uint(MAX_CHUNK, "the length of a piece")
        except FormatError:
            return pieces, len(data) - start
        if cursor.position + size > len(data):
            return pieces, len(data) - start
        pieces.append(Piece(level, scans, tokens, data[cursor.position : cursor.position + size]))
        cursor.position += size
    return pieces, 0


def pieces_of(gop: Gop) -> list[Piece]:
    """The pieces of a GOP; none when its model writes no tokens. Raises FormatError."""
    return next((split(stream) for stream in gop.streams if stream.name == NAME), [])


def keep(gop: Gop, count: int) -> Gop:
    """The GOP with its first `count` pieces, at least one."""
    return replace(gop, streams=tuple(join(split(stream)[: max(1, count)]) if stream.name == NAME else stream
                                      for stream in gop.streams))


def within(gop: Gop, tokens: int) -> Gop:
    """The GOP with as many pieces as hold at most `tokens` tokens, at least one."""
    sums = itertools.accumulate(piece.tokens for piece in pieces_of(gop))
    return keep(gop, sum(total <= tokens for total in sums))


def fit(gops: Sequence[Gop], budget: int) -> list[Gop]:
    """GOPs with so many pieces each that their chunks' payloads take at most `budget` bytes together.

    The finest pieces of all GOPs go first, so that what is left is about as fine everywhere. Raises UsageError when one
    piece a GOP is too much, or when there are no pieces.
    """
    found = [pieces_of(gop) for gop in gops]
    if not all(found):
        raise UsageError("the file's model writes no tokens, so it cannot be made smaller without encoding it again")
    order = sorted((piece.level, place, number) for number, pieces in enumerate(found) for place, piece in enumerate(pieces)
                   if place)
    counts = [1] * len(gops)
    size = sum(len(pack_gop(keep(gop, 1))) for gop in gops)
    if size > budget:
        raise UsageError(f"the coarsest description of the video takes {size} bytes; {max(0, budget)} are left for it")
    for _, place, number in order:
        piece = found[number][place]
        size += len(piece.payload) + _head(piece)
        if size > budget:
            break
        counts[number] = place + 1
    return [keep(gop, count) for gop, count in zip(gops, counts, strict=True)]


def _head(piece: Piece) -> int:
    """Bytes of a piece beside its payload, and by which the head of its GOP may grow: a generous guess."""
    return len(join([piece]).payload) - len(piece.payload) + 4
