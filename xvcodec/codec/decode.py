"""Decoding a file: read and entropy-decode -> reconstruct -> write, overlapping by threads."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from xvc_bitstream import BitstreamError, Caption, DamagedError, Gop, Header, Reader, pieces
from xvc_bitstream.records import AudioPacket

from xvcodec.codec.conceal import LostGop
from xvcodec.codec.entropy import StreamReader
from xvcodec.codec.family import Guide
from xvcodec.codec.guidance import text_between
from xvcodec.codec.pipeline import Ahead
from xvcodec.codec.planes import padded_size, to_frames
from xvcodec.codec.session import Session
from xvcodec.errors import InputError, UsageError
from xvcodec.media.types import Frame, VideoInfo
from xvcodec.models.weights import load_for
from xvcodec.options import DecodeOptions
from xvcodec.text.load import load_text_encoder, text_encoder_by_id

Source = str | Path | BinaryIO
MICRO = 1_000_000


@dataclass(frozen=True)
class DecodedGop:
    """A GOP after entropy decoding."""

    number: int
    gop: Gop
    symbols: Any


def info_of(reader: Reader) -> VideoInfo:
    """Description of the decoded video, from header and index."""
    head, entries = reader.header, reader.entries
    base = Fraction(*head.time_base)
    duration = entries[-1].start_pts + entries[-1].duration - entries[0].start_pts if entries else 0
    return VideoInfo(head.width, head.height, head.bit_depth, Fraction(*head.sar) if head.sar[0] else Fraction(0),
                     head.rotation, head.primaries, head.transfer, head.matrix, head.full_range, head.chroma_location,
                     base, Fraction(*head.frame_rate), sum(entry.frames for entry in entries),
                     int(duration * base * MICRO))


def open_session(header: Header, options: DecodeOptions) -> Session:
    """The model and coder a file names, on the runtime asked for."""
    model = load_for(header.model, header.model_hash, options.model)
    text = None
    if header.text_encoder and options.text:
        text = (load_text_encoder(options.text_encoder) if options.text_encoder
                else text_encoder_by_id(header.text_encoder))
        if text.id != header.text_encoder:
            raise UsageError(f"the file's captions were read with {header.text_encoder}, not {text.id}: "
                             "give that one with --text-encoder, or decode with --no-text")
    return Session.open(model, header.coder, text, options.backend, options.device)


class Window:
    """The part of a file to decode, in ticks; everything when no time was given."""

    def __init__(self, reader: Reader, options: DecodeOptions) -> None:
        if options.duration is not None and options.end is not None:
            raise UsageError("-t and -to exclude each other: give one of them")
        self.base = Fraction(*reader.header.time_base)
        self.origin = reader.entries[0].start_pts if reader.entries else 0
        self.trims = any(value is not None for value in (options.start, options.duration, options.end))
        start = Fraction(options.start or 0).limit_denominator(MICRO)
        end = float(start) + options.duration if options.duration is not None else options.end
        self.first = self.origin + int(start / self.base) if self.trims else -(1 << 62)
        self.last = 1 << 62
        if end is not None:
            self.last = self.origin + int(Fraction(end).limit_denominator(MICRO) / self.base)
        self.start_seconds, self.end_seconds = float(start), end
        if self.last <= self.first:
            raise UsageError("-t or -to leaves nothing to decode: give an end after -ss")

    def numbers(self, reader: Reader) -> range:
        """GOPs that touch the window."""
        starts = [entry.start_pts for entry in reader.entries]
        first = max(0, bisect_right(starts, self.first) - 1)
        return range(first, sum(start < self.last for start in starts))

    def holds(self, pts: int) -> bool:
        """Whether a frame lies inside."""
        return self.first <= pts < self.last

    def shift(self) -> int:
        """Ticks by which times move, so that a trimmed video starts at 0."""
        return self.first if self.trims else 0


class Decoder:
    """Frames of an open file; made once, iterated once. Also what `xvcodec.open` hands out."""

    def __init__(self, reader: Reader, options: DecodeOptions = DecodeOptions()) -> None:
        self.reader, self.options = reader, options
        if not reader.entries:
            raise InputError("the file holds no whole GOP, so there is nothing to decode")
        if reader.header.bit_depth not in (8, 10):
            raise InputError(f"the file has {reader.header.bit_depth} bits a sample, but this xvc decodes only 8 and 10")
        self.window = Window(reader, options)
        self.session = open_session(reader.header, options)
        if options.tokens is not None and not self.session.codec.requirements.tokens:
            raise UsageError(f"--tokens is for models that write tokens, which {reader.header.model} does not")
        self.info = info_of(reader)
        self._lost: dict[int, str] = {}

    @property
    def damage(self) -> list[str]:
        """What was found damaged so far, a sentence for each GOP or chunk."""
        others = [_plain(item.reason) for item in self.reader.damage
                  if item.gop_index is None or item.gop_index not in self._lost]
        return list(dict.fromkeys([*self._lost.values(), *others]))

    def symbols(self) -> Iterator[DecodedGop]:
        """Entropy-decoded GOPs of the window; a damaged one raises, or is noted and left out with ignore_errors."""
        return (item for item in self._gops() if isinstance(item, DecodedGop))

    def _gops(self) -> Iterator[DecodedGop | LostGop]:
        for number in self.window.numbers(self.reader):
            gop = None
            try:
                gop = self.reader.gop(number)
                if self.options.tokens is not None:
                    gop = pieces.within(gop, self.options.tokens)
                item: DecodedGop | LostGop = DecodedGop(number, gop, self._decode(gop))
            except BitstreamError as error:
                self._note(number, error)
                item = LostGop.of(number, self.reader.entries, gop, self.info.frame_ticks)
            yield item

    def _note(self, number: int, error: BitstreamError) -> None:
        """Remember the damage of a GOP, or raise it."""
        offset = self.reader.entries[number].offset
        known = isinstance(error, DamagedError) and error.gop_index == number
        message = _plain(str(error)) if known else f"GOP {number} at byte {offset} is damaged ({_plain(str(error))})"
        if not self.options.ignore_errors:
            raise DamagedError(f"{message}; --ignore-errors decodes the others", offset, "GOPF", number) from None
        self._lost[number] = message

    def _decode(self, gop: Gop) -> Any:
        session, head = self.session, self.reader.header
        pixels = head.width * head.height * len(gop.pts)
        if pixels > 2 * max(session.codec.requirements.max_gop_pixels, head.width * head.height):
            raise DamagedError("it claims more pixels than a GOP may hold")
        height, width = padded_size(head.height, head.width, session.codec.requirements.multiple_of)
        read = StreamReader(gop, session.coder, session.model.tables)
        symbols = session.codec.decode_symbols(len(gop.pts), height, width, gop.quality / 256.0, read)
        streams = session.codec.integers(symbols)
        for name in self.options.drop:
            if name == pieces.NAME and session.codec.requirements.tokens:
                raise UsageError("--drop tokens would leave nothing: use --tokens N for fewer")
            chosen = [array for stream, array in streams.items() if name in (stream, stream.partition(".")[0])]
            if not chosen:
                raise UsageError(f"--drop {name}: {session.model.name} has no such stream, only {', '.join(streams)}")
            for array in chosen:  # after decoding, because the tables of other streams may depend on it
                array[...] = 0
        return symbols

    def guide(self, gop: Gop) -> Guide:
        """Guidance of a GOP: the prompt given now, or the file's captions at that time."""
        base = self.info.time_base
        start, end = (int(ticks * base * MICRO) for ticks in (gop.pts[0], gop.pts[-1] + gop.duration))
        prompt, seed = self.options.prompt, self.options.seed
        guide = self.session.guidance(text_between(self.reader.captions, start, end) if prompt is None else prompt)
        return replace(guide, steps=self.options.steps, seed=gop.seed if seed is None else seed)

    def frames(self) -> Iterator[Frame]:
        """Decoded frames of the window in order; with ignore_errors, those of damaged GOPs repeat their neighbour."""
        shift, count = self.window.shift(), 0
        for frame in self._all_frames():
            if self.window.holds(frame.pts):
                count += 1
                yield replace(frame, pts=frame.pts - shift)
        if not count and self._lost:
            raise InputError(f"no GOP can be decoded: {next(iter(self._lost.values()))}")
        if not count:
            raise InputError("there is no frame in the chosen time range: check -ss, -t and -to")

    def _all_frames(self) -> Iterator[Frame]:
        """Frames of every GOP that touches the window. Lost ones show the picture before them, or else the next."""
        last: Frame | None = None
        early: list[LostGop] = []
        with Ahead(self._gops()) as ahead:
            for item in ahead:
                if isinstance(item, LostGop):
                    if last is None:
                        early.append(item)
                    else:
                        yield from item.frames(last)
                    continue
                for frame in self._reconstruct(item):
                    while last is None and early:
                        yield from early.pop(0).frames(frame)
                    last = frame
                    yield frame

    def _reconstruct(self, decoded: DecodedGop) -> Iterator[Frame]:
        gop, info = decoded.gop, self.info
        ends = [*gop.pts[1:], gop.pts[-1] + (gop.duration or info.frame_ticks)]
        at = 0
        for planes in self.session.codec.reconstruct(decoded.symbols, gop.quality / 256.0, self.guide(gop)):
            count = planes.luma.shape[0]
            pts = gop.pts[at : at + count]
            durations = [end - start for start, end in zip(pts, ends[at : at + count], strict=True)]
            yield from to_frames(planes, pts, durations, info.height, info.width, info.bit_depth)
            at += count

    def audio(self) -> Iterator[AudioPacket]:
        """Audio packets of the window in file order, times shifted like the frames'."""
        window = self.window
        for packet in self.reader.audio():
            if not window.trims:
                yield packet
                continue
            base = Fraction(*self.reader.tracks[packet.track].time_base)
            seconds = float((packet.pts if packet.pts is not None else packet.dts or 0) * base)
            if seconds >= window.start_seconds and (window.end_seconds is None or seconds < window.end_seconds):
                move = int(Fraction(window.start_seconds).limit_denominator(MICRO) / base)
                yield replace(packet, pts=None if packet.pts is None else packet.pts - move,
                              dts=None if packet.dts is None else packet.dts - move)

    def captions(self) -> list[Caption]:
        """The file's cues, moved and cut to the window."""
        window = self.window
        if not window.trims:
            return list(self.reader.captions)
        start = int(window.start_seconds * MICRO)
        end = int(window.end_seconds * MICRO) if window.end_seconds is not None else 1 << 60
        return [replace(cue, start_us=max(0, cue.start_us - start), end_us=min(cue.end_us, end) - start)
                for cue in self.reader.captions if cue.start_us < end and cue.end_us > start]


def _plain(message: str) -> str:
    """A sentence about damage without its advice, which the caller knows better."""
    return message.partition("; use --ignore-errors")[0]
