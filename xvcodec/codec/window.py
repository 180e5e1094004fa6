"""The part of a file that is decoded: which GOPs, frames, packets and cues, and when they begin."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from xvc_bitstream import Caption, Reader
from xvc_bitstream.records import AudioPacket

from xvcodec.errors import UsageError
from xvcodec.options import DecodeOptions

MICRO = 1_000_000


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

    def audio(self, reader: Reader) -> Iterator[AudioPacket]:
        """Packets inside in file order, times shifted like the frames'."""
        for packet in reader.audio():
            if not self.trims:
                yield packet
                continue
            base = Fraction(*reader.tracks[packet.track].time_base)
            seconds = float((packet.pts if packet.pts is not None else packet.dts or 0) * base)
            if seconds >= self.start_seconds and (self.end_seconds is None or seconds < self.end_seconds):
                move = int(Fraction(self.start_seconds).limit_denominator(MICRO) / base)
                yield replace(packet, pts=None if packet.pts is None else packet.pts - move,
                              dts=None if packet.dts is None else packet.dts - move)

    def captions(self, cues: Sequence[Caption]) -> list[Caption]:
        """Cues, moved and cut."""
        if not self.trims:
            return list(cues)
        start = int(self.start_seconds * MICRO)
        end = int(self.end_seconds * MICRO) if self.end_seconds is not None else 1 << 60
        return [replace(cue, start_us=max(0, cue.start_us - start), end_us=min(cue.end_us, end) - start)
                for cue in cues if cue.start_us < end and cue.end_us > start]
