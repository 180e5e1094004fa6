"""Cut, flipped, lying, hostile: one typed error or a note, never anything else, and the rest still plays."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
import zlib

import pytest
import zstandard
from container_samples import chunks_of, gop, make_chunk, packet, replaced, sample
from hypothesis import given, settings
from hypothesis import strategies as st
from xvc_bitstream import BitstreamError, DamagedError, FormatError, Reader
from xvc_bitstream.index import pack_index
from xvc_bitstream.records import GopEntry
from xvc_bitstream.wire import put_sint, put_uint

SAMPLE = sample()
CHUNKS = chunks_of(SAMPLE)
GOP_OFFSETS = [offset for kind, offset, _ in CHUNKS if kind == b"GOPF"]


def squeeze(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(raw)


def test_a_file_cut_at_any_byte_plays_to_its_last_whole_gop() -> None:
    data = sample(2)
    ends = [offset + 12 + len(payload) for kind, offset, payload in chunks_of(data) if kind == b"GOPF"]
    header_end = chunks_of(data)[1][1]
    for cut in range(len(data)):
        if cut < header_end:
            with pytest.raises(FormatError):
                Reader.open(io.BytesIO(data[:cut]))
            continue
        with Reader.open(io.BytesIO(data[:cut])) as reader:
            assert reader.truncated
            assert not reader.damage
            assert list(reader.gops()) == [gop(number) for number, end in enumerate(ends) if end <= cut]
            assert len(list(reader.audio())) % 2 == 0


def everything(data: bytes, ignore_errors: bool) -> None:
    """Use all of the reader's surface."""
    with Reader.open(io.BytesIO(data), ignore_errors=ignore_errors) as reader:
        for part in (reader.gops(), reader.audio()):
            for _ in part:
                pass
        assert reader.poster is None or reader.poster.mime
        if reader.entries:
            reader.find(0)
        reader.verify()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_flipped_bytes_raise_nothing_but_our_errors(changes: list[tuple[int, int]], ignore: bool) -> None:
    data = bytearray(SAMPLE)
    for place, value in changes:
        data[place] = value
    try:
        everything(bytes(data), ignore)
    except BitstreamError as error:
        message = str(error)
    else:
        message = "fine"
    assert message
    assert "\n" not in message


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([kind for kind, _, _ in CHUNKS]), st.binary(max_size=60), st.booleans(), st.booleans())
def test_noise_with_right_crcs_raises_nothing_but_our_errors(
    kind: bytes, noise: bytes, packed: bool, ignore: bool
) -> None:
    with contextlib.suppress(BitstreamError):
        everything(replaced(SAMPLE, kind, squeeze(noise) if packed else noise), ignore)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_changed_contents_with_right_crcs_raise_nothing_but_our_errors(data: st.DataObject) -> None:
    kind, _, payload = data.draw(
        st.sampled_from([item for item in CHUNKS if item[0] not in (b"GOPF", b"AUDI", b"DONE")])
    )
    raw = bytearray(payload if kind == b"HEAD" else zstandard.ZstdDecompressor().decompress(payload))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    changed = replaced(SAMPLE, kind, bytes(raw) if kind == b"HEAD" else squeeze(bytes(raw)))
    with contextlib.suppress(BitstreamError):
        everything(changed, data.draw(st.booleans()))


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("place", [0, 2, 4, 7, 9, 12, 40, -1])
@pytest.mark.parametrize("whole", [True, False])
def test_one_bad_gop_costs_one_gop(number: int, place: int, whole: bool) -> None:
    """Wherever it is hit: type, length, head, payload, CRC; with an index and without."""
    end = len(SAMPLE) if whole else next(offset for kind, offset, _ in CHUNKS if kind == b"INDX")
    data = bytearray(SAMPLE[:end])
    size = 12 + next(len(payload) for _, offset, payload in CHUNKS if offset == GOP_OFFSETS[number])
    data[GOP_OFFSETS[number] + place % size] ^= 0x15
    others = [gop(other) for other in range(3) if other != number]
    with Reader.open(io.BytesIO(bytes(data)), ignore_errors=True) as reader:
        survivors = list(reader.gops())
        type_lost = not whole and place < 4  # a GOP that calls itself something else is skipped as unknown
        assert survivors == others or (not whole and number == 2 and survivors == others[:2])
        assert reader.damage or reader.truncated or type_lost
        if whole and place >= 8:
            assert [item.gop_index for item in reader.damage if item.chunk_type == "GOPF"] == [number]
            assert sum(entry.frames for entry in reader.entries) == 9  # so that the gap can be concealed
    if whole and place >= 8:
        with Reader.open(io.BytesIO(bytes(data))) as reader:
            assert reader.gop((number + 1) % 3) == gop((number + 1) % 3)
            with pytest.raises(DamagedError, match=f"GOP {number} at byte .* --ignore-errors") as caught:
                list(reader.gops())
            assert (caught.value.gop_index, caught.value.offset) == (number, GOP_OFFSETS[number])
            assert [item.gop_index for item in reader.damage] == [number]


def test_bad_audio_costs_its_chunk() -> None:
    data = bytearray(SAMPLE)
    data[next(offset for kind, offset, _ in CHUNKS if kind == b"AUDI") + 9] ^= 1
    with Reader.open(io.BytesIO(bytes(data))) as reader, pytest.raises(DamagedError, match="chunk AUDI"):
        list(reader.audio())
    with Reader.open(io.BytesIO(bytes(data)), ignore_errors=True) as reader:
        assert list(reader.audio()) == [packet(number) for number in range(2, 6)]
        assert [item.chunk_type for item in reader.damage] == ["AUDI"]
        assert len(reader.verify()) == 1


def test_bad_metadata_can_be_ignored() -> None:
    for kind in (b"TAGS", b"CAPT", b"POST"):
        data = bytearray(SAMPLE)
        data[next(offset for name, offset, _ in CHUNKS if name == kind) + 10] ^= 1
        with pytest.raises(DamagedError, match=kind.decode()):
            everything(bytes(data), False)
        with Reader.open(io.BytesIO(bytes(data)), ignore_errors=True) as reader:
            assert len(list(reader.gops())) == 3
            assert reader.poster is (None if kind == b"POST" else reader.poster)
            assert [item.chunk_type for item in reader.damage] == [kind.decode()]


def entries_of(data: bytes) -> list[GopEntry]:
    with Reader.open(io.BytesIO(data)) as reader:
        return list(reader.entries)


def test_a_lying_index_is_ignored() -> None:
    true = entries_of(SAMPLE)
    lies = [
        true[:2],  # leaves one out
        [*true, GopEntry(true[2].offset + 50, 40, 10**9, 3, 9010, 0)],
        [GopEntry(e.offset + 1, e.size, e.start_pts, e.frames, e.duration, e.quality) for e in true],
        [GopEntry(e.offset, e.size, e.start_pts + 7, e.frames, e.duration, e.quality) for e in true],
        [GopEntry(e.offset, e.size, e.start_pts, 1000, e.duration, e.quality) for e in true],
    ]
    audio = []
    with Reader.open(io.BytesIO(SAMPLE)) as reader:
        audio = [ref for ref in reader.refs if ref.type == b"AUDI"]
    for lie in lies:
        for sounds in (audio, []):
            data = SAMPLE[: CHUNKS[-2][1]] + make_chunk(b"INDX", squeeze(pack_index(lie, sounds)))
            data += make_chunk(b"DONE", CHUNKS[-2][1].to_bytes(8, "little"))
            with Reader.open(io.BytesIO(data)) as reader:
                assert list(reader.gops()) == [gop(0), gop(1), gop(2)]
                assert reader.entries == true
                assert len(list(reader.audio())) == 6
                assert [item.chunk_type for item in reader.damage] == ["INDX"]


@pytest.mark.parametrize("offset", [0, 10, 2**63, 2**64 - 1, len(SAMPLE)])
def test_an_end_mark_that_lies_is_ignored(offset: int) -> None:
    with Reader.open(io.BytesIO(replaced(SAMPLE, b"DONE", offset.to_bytes(8, "little")))) as reader:
        assert len(list(reader.gops())) == 3
        assert [item.chunk_type for item in reader.damage] == ["INDX"]


def bomb(size: int) -> bytes:
    """A zstandard frame of a few kilobytes that unpacks to `size` zeros."""
    return zstandard.ZstdCompressor(level=1).compress(bytes(size))


def gop_with(stream: tuple[int, ...], frames: int = 1) -> bytes:
    """A GOPF payload with a right head CRC and whatever numbers."""
    head = bytearray()
    put_sint(head, 0)
    put_uint(head, frames)
    for value in (0, 0, 0, 1):
        put_uint(head, value)
    head += b"\1a"
    put_uint(head, len(stream))
    for side in stream:
        put_uint(head, side)
    put_uint(head, 0)
    body = len(head).to_bytes(2, "little") + bytes(head)
    return body + zlib.crc32(body).to_bytes(4, "little")


def huge_count() -> bytes:
    out = bytearray()
    put_uint(out, 2**63)
    return bytes(out)


HOSTILE = {
    "bomb": replaced(SAMPLE, b"TAGS", bomb(1 << 26)),
    "bomb in the poster": replaced(SAMPLE, b"POST", bomb(1 << 26)),
    "bomb in the index": replaced(SAMPLE, b"INDX", bomb(1 << 26)),
    "frame without a size": replaced(SAMPLE, b"TAGS", zstandard.ZstdCompressor(write_content_size=False).compress(b"")),
    "frame of 2^60 bytes": replaced(SAMPLE, b"TAGS", b"\x28\xb5\x2f\xfd\xe0" + (1 << 60).to_bytes(8, "little")),
    "huge shape": replaced(SAMPLE, b"GOPF", gop_with((2**29, 2))),
    "shape of zero elements and huge axes": replaced(SAMPLE, b"GOPF", gop_with((0, 2**40))),
    "huge rank": replaced(SAMPLE, b"GOPF", gop_with((1,) * 100)),
    "huge frame count": replaced(SAMPLE, b"GOPF", gop_with((1,), 2**40)),
    "huge list": replaced(SAMPLE, b"CAPT", squeeze(huge_count())),
    "huge packet list": replaced(SAMPLE, b"AUDI", huge_count()),
    "huge length": SAMPLE[:GOP_OFFSETS[0]] + b"GOPF\xff\xff\xff\xff" + SAMPLE[GOP_OFFSETS[0] + 8 :],
    "huge picture": replaced(SAMPLE, b"HEAD", b"\xff" * 8 + CHUNKS[0][2][8:]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sizes_cost_no_memory(name: str) -> None:
    for ignore in (False, True):
        tracemalloc.start()
        with contextlib.suppress(BitstreamError):
            everything(HOSTILE[name], ignore)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 22


def test_false_gops_cost_no_time() -> None:
    data = SAMPLE[: GOP_OFFSETS[0]] + b"????" + b"GOPF" * 100_000
    with Reader.open(io.BytesIO(data), ignore_errors=True) as reader:
        assert reader.truncated
        assert not reader.entries


def test_gops_out_of_order_are_damage() -> None:
    first, second = (
        (offset, payload) for kind, offset, payload in CHUNKS if kind == b"GOPF" and offset < GOP_OFFSETS[2]
    )
    data = replaced(SAMPLE, b"GOPF", second[1])[: CHUNKS[-2][1]]
    with Reader.open(io.BytesIO(data)) as reader:
        assert [entry.frames for entry in reader.entries] == [3, 0, 3]
        assert reader.damage[0].gop_index == 1
    assert first[0] < second[0]


def test_unknown_chunks_are_skipped_and_newer_minors_are_read() -> None:
    extra = make_chunk(b"NEW1", b"from the future")
    start = CHUNKS[1][1]
    head = make_chunk(b"HEAD", CHUNKS[0][2] + b"new fields")
    data = SAMPLE[:9] + b"\x09" + head + extra + SAMPLE[start : GOP_OFFSETS[1]] + extra + SAMPLE[GOP_OFFSETS[1] :]
    with Reader.open(io.BytesIO(data)) as reader:
        assert reader.version == (1, 9)
        assert len(list(reader.gops())) == 3
        assert len(reader.tracks) == 2
        assert [ref.type for ref in reader.refs].count(b"NEW1") == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\x89XV", "cut off"),
        (b"RIFF" + bytes(100), "not an .xvc file"),
        (SAMPLE[:8] + b"\2\0" + SAMPLE[10:], "version 2, but this xvc reads up to 1; update"),
        (SAMPLE[:8] + b"\0\0" + SAMPLE[10:], "version 0"),
        (SAMPLE[:10] + SAMPLE[CHUNKS[1][1] :], "inside its header"),
        (SAMPLE[:10], "inside its header"),
    ],
)
def test_what_is_no_file_of_this_version_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    for ignore in (False, True):
        with pytest.raises(FormatError, match=words):
            Reader.open(io.BytesIO(data), ignore_errors=ignore)


def test_metadata_that_comes_twice_is_damage() -> None:
    tags = make_chunk(b"TAGS", squeeze(b"\0"))
    data = SAMPLE[: GOP_OFFSETS[0]] + tags + SAMPLE[GOP_OFFSETS[0] :]
    with pytest.raises(DamagedError, match="only once"):
        Reader.open(io.BytesIO(data))
    with Reader.open(io.BytesIO(data), ignore_errors=True) as reader:
        assert reader.tags["title"] == "Dog"
        assert len(list(reader.gops())) == 3
