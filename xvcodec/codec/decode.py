"""Decoding a file: read and entropy-decode -> reconstruct -> write, overlapping by threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream import BitstreamError, Caption, DamagedError, Gop, Header, Reader, pieces
from xvc_bitstream.records import AudioPacket

from xvcodec.codec.conceal import LostGop
from xvcodec.codec.entropy import StreamReader
from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.guidance import text_between
from xvcodec.codec.pipeline import Ahead
from xvcodec.codec.planes import padded_size, to_frames
from xvcodec.codec.seams import Seams
from xvcodec.codec.session import Session
from xvcodec.codec.window import MICRO, Window
from xvcodec.errors import InputError, UsageError
from xvcodec.media.types import Frame, VideoInfo
from xvcodec.models.weights import load_for
from xvcodec.options import DecodeOptions
from xvcodec.text.load import load_text_encoder, text_encoder_by_id

Source = str | Path | BinaryIO


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
        self._drop(session.codec.integers(symbols))
        return symbols

    def _drop(self, streams: Mapping[str, NDArray[np.int32]]) -> None:
        """Set to zero what is not wanted; only after decoding, because tables of other streams may depend on it."""
        for name in self.options.drop:
            if name == pieces.NAME and self.session.codec.requirements.tokens:
                raise UsageError("--drop tokens would leave nothing: use --tokens N for fewer")
            chosen = [array for stream, array in streams.items() if name in (stream, stream.partition(".")[0])]
            if not chosen:
                raise UsageError(f"--drop {name}: {self.session.model.name} has no such stream, only {', '.join(streams)}")
            for array in chosen:
                array[...] = 0

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
        seams: Seams[DecodedGop] = Seams()
        with Ahead(self._gops()) as ahead:
            for item in chain(ahead, (None,)):
                pictures = self._reconstruct(item, seams) if isinstance(item, DecodedGop) else seams.end()
                for frame in (frame for shown in pictures for frame in self._frames_of(*shown)):
                    while last is None and early:
                        yield from early.pop(0).frames(frame)
                    last = frame
                    yield frame
                if isinstance(item, LostGop):
                    if last is None:
                        early.append(item)
                    else:
                        yield from item.frames(last)

    def _reconstruct(self, decoded: DecodedGop, seams: Seams[DecodedGop]) -> Iterator[tuple[DecodedGop, int, Planes]]:
        codec, gop = self.session.codec, decoded.gop
        quality = gop.quality / 256.0
        pictures = codec.reconstruct(decoded.symbols, quality, self.guide(gop))
        return seams.through(decoded, len(gop.pts), pictures, codec.ends(decoded.symbols, quality))

    def _frames_of(self, decoded: DecodedGop, at: int, planes: Planes) -> list[Frame]:
        """Pictures of a GOP from number `at` on."""
        gop, info = decoded.gop, self.info
        ends = [*gop.pts[1:], gop.pts[-1] + (gop.duration or info.frame_ticks)]
        these = slice(at, at + len(planes.luma))
        pts = gop.pts[these]
        durations = [end - start for start, end in zip(pts, ends[these], strict=True)]
        return to_frames(planes, pts, durations, info.height, info.width, info.bit_depth)

    def audio(self) -> Iterator[AudioPacket]:
        """Audio packets of the window in file order, times shifted like the frames'."""
        return self.window.audio(self.reader)

    def captions(self) -> list[Caption]:
        """The file's cues, moved and cut to the window."""
        return self.window.captions(self.reader.captions)


def _plain(message: str) -> str:
    """A sentence about damage without its advice, which the caller knows better."""
    return message.partition("; use --ignore-errors")[0]
