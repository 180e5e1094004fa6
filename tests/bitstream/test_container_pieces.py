"""Pieces of tokens: packing, cutting, files made smaller and files cut off."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xvc_bitstream import FormatError, Gop, Header, Reader, Stream, UsageError, Writer, pieces, truncate
from xvc_bitstream.pieces import Piece

HEADER = Header(64, 64, 8, (1, 1), 0, 1, 1, 1, False, 1, (1, 25), (25, 1), "onedva", bytes(32), 2, "")
PIECES = st.lists(st.builds(Piece, st.integers(0, 255), st.integers(0, 1000), st.integers(0, 5000), st.binary(max_size=60)),
                  min_size=1, max_size=8).map(lambda found: sorted(found, key=lambda piece: piece.level))


def gop(found: list[Piece], start: int = 0) -> Gop:
    return Gop((start, start + 1), 1, 256, 0, (Stream("fields", (2, 2), b"abc"), pieces.join(found)))


def file_of(gops: list[Gop]) -> bytes:
    sink = io.BytesIO()
    with Writer(sink, HEADER) as writer:
        for each in gops:
            writer.gop(each)
    return sink.getvalue()


@given(PIECES)
def test_pieces_come_back(found: list[Piece]) -> None:
    assert pieces.split(pieces.join(found)) == found


@given(PIECES, st.integers(0, 10))
def test_any_prefix_is_a_stream(found: list[Piece], count: int) -> None:
    assert pieces.pieces_of(pieces.keep(gop(found), count)) == found[: max(1, count)]


@given(PIECES, st.integers(0, 600))
def test_a_cut_stream_keeps_its_whole_pieces(found: list[Piece], length: int) -> None:
    stream = pieces.join(found)
    cut = pieces.arrived(Stream(stream.name, stream.shape, stream.payload[:length]))
    assert cut is None or pieces.split(cut) == found[: len(pieces.split(cut))]


@given(st.binary(max_size=80), st.integers(0, 100))
def test_strange_bytes_are_refused(data: bytes, tokens: int) -> None:
    try:
        found = pieces.split(Stream("tokens", (tokens, 16), data))
    except FormatError:
        return
    assert pieces.join(found).shape == (tokens, 16)


@given(st.lists(PIECES, min_size=1, max_size=4), st.integers(0, 900))
def test_a_file_is_made_smaller(found: list[list[Piece]], target: int) -> None:
    whole = file_of([gop(each, 10 * number) for number, each in enumerate(found)])
    sink = io.BytesIO()
    try:
        truncate(Reader.open(io.BytesIO(whole)), sink, target)
    except UsageError as error:
        assert "coarsest" in str(error)
        return
    assert len(sink.getvalue()) <= target
    for before, after in zip(found, Reader.open(io.BytesIO(sink.getvalue())).gops(), strict=True):
        left = pieces.pieces_of(after)
        assert left == before[: len(left)]


def test_the_finest_pieces_go_first() -> None:
    coarse, fine = Piece(1, 1, 1, b"x" * 20), Piece(9, 1, 1, b"y" * 20)
    small = pieces.fit([gop([coarse, coarse]), gop([coarse, fine], 10)], 175)
    assert [len(pieces.pieces_of(each)) for each in small] == [2, 1]


def test_models_without_tokens_are_refused() -> None:
    whole = file_of([Gop((0,), 1, 0, 0, (Stream("key.y", (1,), b"a"),))])
    with pytest.raises(UsageError, match="writes no tokens"):
        truncate(Reader.open(io.BytesIO(whole)), io.BytesIO(), 1000)


def test_a_file_cut_in_a_gop_plays_the_pieces_that_arrived() -> None:
    found = [Piece(level, 2, 3, bytes([65 + level]) * 30) for level in range(4)]
    whole = file_of([gop(found), gop(found, 10)])
    end = whole.rindex(b"D" * 30)
    with Reader.open(io.BytesIO(whole[: end + 7])) as reader:
        assert reader.truncated and len(reader.entries) == 2
        assert pieces.pieces_of(reader.gop(1)) == found[:3]
        assert reader.gop(0) == gop(found)


def test_a_file_cut_before_the_first_piece_has_no_tail() -> None:
    found = [Piece(1, 1, 1, b"Z" * 40)]
    whole = file_of([gop(found), gop(found, 10)])
    with Reader.open(io.BytesIO(whole[: whole.rindex(b"Z" * 40) + 5])) as reader:
        assert len(reader.entries) == 1
