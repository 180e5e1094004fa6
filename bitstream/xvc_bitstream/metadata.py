"""Header, tracks, captions, tags, chapters, poster and audio packets as bytes, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from . import limits
from .errors import FormatError, UsageError
from .records import AudioPacket, AudioTrack, Caption, Chapter, Header, Poster, require, require_text
from .wire import Cursor, put_blob, put_sint, put_text, put_uint

T = TypeVar("T")
_KEYFRAME, _HAS_PTS, _HAS_DTS = 1, 2, 4


def parsed(what: str, make: Callable[[], T]) -> T:
    """`make()`, with a record's UsageError turned into a FormatError about `what`."""
    try:
        return make()
    except UsageError as error:
        raise FormatError(f"{what} is not valid: {error}") from None


def pack_header(header: Header) -> bytes:
    """The payload of HEAD: fixed fields, then two texts. Later minors may append fields."""
    out = bytearray()
    out += header.width.to_bytes(4, "little") + header.height.to_bytes(4, "little")
    for pair in (header.sar, header.time_base, header.frame_rate):
        out += pair[0].to_bytes(4, "little") + pair[1].to_bytes(4, "little")
    out += bytes((header.bit_depth, header.rotation // 90, header.primaries, header.transfer, header.matrix))
    out += bytes((int(header.full_range), header.chroma_location, header.coder))
    out += header.model_hash
    put_text(out, header.model)
    put_text(out, header.text_encoder)
    return bytes(out)


def parse_header(payload: bytes) -> Header:
    """The Header in `payload`; bytes after the fields of this version are left alone. Raises FormatError."""
    cursor = Cursor(payload, "the file header")
    width, height = cursor.fixed(4), cursor.fixed(4)
    sar, time_base, frame_rate = ((cursor.fixed(4), cursor.fixed(4)) for _ in range(3))
    depth, turns, primaries, transfer, matrix, full_range, location, coder = cursor.take(8)
    model_hash = cursor.take(32)
    model = cursor.text(limits.MAX_MODEL_NAME, "the model's name")
    text_encoder = cursor.text(limits.MAX_MODEL_NAME, "the text encoder's name")
    if full_range > 1:
        raise FormatError("the file header is not valid: the range flag is neither 0 nor 1")
    return parsed("the file header", lambda: Header(
        width, height, depth, sar, turns * 90, primaries, transfer, matrix, bool(full_range), location,
        time_base, frame_rate, model, model_hash, coder, text_encoder,
    ))  # fmt: skip


def pack_tracks(tracks: Sequence[AudioTrack]) -> bytes:
    """The content of TRAK."""
    out = bytearray()
    _put_count(out, tracks, limits.MAX_TRACKS, "audio tracks")
    for track in tracks:
        put_text(out, track.codec)
        for value in (*track.time_base, track.sample_rate, track.bit_rate, track.frame_size):
            put_uint(out, value)
        put_text(out, track.layout)
        put_text(out, track.language)
        put_text(out, track.title)
        put_blob(out, track.extradata)
    return bytes(out)


def parse_tracks(raw: bytes) -> tuple[AudioTrack, ...]:
    """The tracks in the content of TRAK. Raises FormatError."""
    cursor = Cursor(raw, "the list of audio tracks")

    def track() -> AudioTrack:
        codec = cursor.text(limits.MAX_CODEC_NAME)
        base, rate = (cursor.uint(limits.MAX_RATE), cursor.uint(limits.MAX_RATE)), cursor.uint(limits.MAX_RATE)
        bit_rate, frame_size = cursor.uint(limits.MAX_PTS), cursor.uint(limits.MAX_RATE)
        layout, language = cursor.text(limits.MAX_LAYOUT), cursor.text(limits.MAX_LANGUAGE)
        title, extradata = cursor.text(limits.MAX_TITLE), cursor.blob(limits.MAX_EXTRADATA)
        return AudioTrack(codec, base, rate, layout, extradata, language, title, bit_rate, frame_size)

    return _parse_list(cursor, limits.MAX_TRACKS, track)


def pack_captions(captions: Sequence[Caption]) -> bytes:
    """The content of CAPT. The cues must be in time order."""
    out = bytearray()
    _put_count(out, captions, limits.MAX_CAPTIONS, "captions")
    last = 0
    for cue in captions:
        require(cue.start_us >= last, "captions must be in time order; sort them by start_us")
        for value in (cue.start_us - last, cue.end_us - cue.start_us):
            put_uint(out, value)
        put_text(out, cue.language)
        put_text(out, cue.text)
        last = cue.start_us
    return bytes(out)


def parse_captions(raw: bytes) -> tuple[Caption, ...]:
    """The cues in the content of CAPT, in time order. Raises FormatError."""
    cursor = Cursor(raw, "the caption track")
    last = 0

    def cue() -> Caption:
        nonlocal last
        last += cursor.uint(limits.MAX_PTS, "a start")
        end = last + cursor.uint(limits.MAX_PTS, "a length")
        language = cursor.text(limits.MAX_LANGUAGE, "a language")
        return Caption(last, end, cursor.text(limits.MAX_CAPTION_BYTES, "a caption"), language)

    return _parse_list(cursor, limits.MAX_CAPTIONS, cue)


def pack_chapters(chapters: Sequence[Chapter]) -> bytes:
    """The content of CHAP, in the order given."""
    out = bytearray()
    _put_count(out, chapters, limits.MAX_CHAPTERS, "chapters")
    for chapter in chapters:
        put_uint(out, chapter.start_us)
        put_uint(out, chapter.end_us)
        put_text(out, chapter.title)
    return bytes(out)


def parse_chapters(raw: bytes) -> tuple[Chapter, ...]:
    """The chapters in the content of CHAP. Raises FormatError."""
    cursor = Cursor(raw, "the list of chapters")
    cap = limits.MAX_PTS
    make: Callable[[], Chapter] = lambda: Chapter(cursor.uint(cap), cursor.uint(cap), cursor.text(limits.MAX_TITLE))  # noqa: E731
    return _parse_list(cursor, limits.MAX_CHAPTERS, make)


def pack_tags(tags: dict[str, str]) -> bytes:
    """The content of TAGS, in the order of the dictionary."""
    out = bytearray()
    _put_count(out, tuple(tags), limits.MAX_TAGS, "tags")
    for key, value in tags.items():
        require_text("a tag's key", key, limits.MAX_TAG_KEY)
        require_text("a tag's value", value, limits.MAX_TAG_VALUE)
        put_text(out, key)
        put_text(out, value)
    return bytes(out)


def parse_tags(raw: bytes) -> dict[str, str]:
    """The tags in the content of TAGS. Raises FormatError, also when a key comes twice."""
    cursor = Cursor(raw, "the list of tags")
    pairs = _parse_list(
        cursor, limits.MAX_TAGS, lambda: (cursor.text(limits.MAX_TAG_KEY), cursor.text(limits.MAX_TAG_VALUE))
    )
    if len(dict(pairs)) != len(pairs):
        raise FormatError("the list of tags has a key twice")
    return dict(pairs)


def pack_poster(poster: Poster) -> bytes:
    """The content of POST."""
    out = bytearray()
    put_text(out, poster.mime)
    put_blob(out, poster.data)
    return bytes(out)


def parse_poster(raw: bytes) -> Poster:
    """The picture in the content of POST. Raises FormatError."""
    cursor = Cursor(raw, "the poster")
    mime, data = cursor.text(limits.MAX_MIME), cursor.blob(limits.MAX_POSTER)
    cursor.end()
    return Poster(data, mime)


def pack_audio(packets: Sequence[AudioPacket]) -> bytes:
    """The payload of AUDI: all packet heads, then all data."""
    out = bytearray()
    _put_count(out, packets, limits.MAX_PACKETS, "audio packets in one call")
    for packet in packets:
        put_uint(out, packet.track)
        flags = _KEYFRAME * packet.keyframe | _HAS_PTS * (packet.pts is not None) | _HAS_DTS * (packet.dts is not None)
        put_uint(out, flags)
        for value in (packet.pts, packet.dts):
            if value is not None:
                put_sint(out, value)
        put_uint(out, packet.duration)
        put_uint(out, len(packet.data))
    return bytes(out) + b"".join(packet.data for packet in packets)


def parse_audio(payload: bytes, tracks: int) -> list[AudioPacket]:
    """The packets in the payload of AUDI, for a file of `tracks` tracks. Raises FormatError."""
    cursor = Cursor(payload, "a chunk of audio packets")
    heads = []
    for _ in range(cursor.uint(limits.MAX_PACKETS, "the number of packets")):
        track, flags = cursor.uint(limits.MAX_TRACKS - 1, "a track"), cursor.uint(7, "packet flags")
        if track >= tracks:
            raise FormatError(f"an audio packet belongs to track {track}, but the file lists {tracks}")
        pts = cursor.sint("a pts") if flags & _HAS_PTS else None
        dts = cursor.sint("a dts") if flags & _HAS_DTS else None
        duration = cursor.uint(limits.MAX_DURATION, "a duration")
        heads.append((track, pts, dts, duration, cursor.uint(limits.MAX_PACKET, "a size"), bool(flags & _KEYFRAME)))
    packets = parsed("an audio packet", lambda: [
        AudioPacket(track, pts, dts, duration, cursor.take(size), keyframe)
        for track, pts, dts, duration, size, keyframe in heads
    ])  # fmt: skip
    cursor.end()
    return packets


def _put_count(out: bytearray, items: Sequence[object], cap: int, name: str) -> None:
    require(len(items) <= cap, f"{len(items)} {name} are too many: at most {cap} are allowed")
    put_uint(out, len(items))


def _parse_list(cursor: Cursor, cap: int, item: Callable[[], T]) -> tuple[T, ...]:
    items: Iterable[int] = range(cursor.uint(cap, "the number of entries"))
    result = parsed(cursor.what, lambda: tuple(item() for _ in items))
    cursor.end()
    return result
