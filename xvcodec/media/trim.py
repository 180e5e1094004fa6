"""The stretch of time that is read: which frames and audio packets belong to it, and how they shift."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction

import av
from xvc_bitstream.records import AudioPacket, AudioTrack

from xvcodec.errors import UsageError

_EPSILON = Fraction(1, 1_000_000)  # people type 0.1 for what a file calls 3/30
_SLACK = 2  # seconds of interleaving to look through for audio after the last frame


@dataclass
class Window:
    """Seconds to read, from `origin` (the time of the first frame); times are exact fractions of a second."""

    start: Fraction | None = None
    length: Fraction | None = None
    origin: Fraction = Fraction(0)
    shift: Fraction = Fraction(0)  # subtracted from every time; set when the first frame is known
    audio_from: Fraction | None = None  # audio that begins earlier is left out

    @classmethod
    def of(cls, start: float | None, duration: float | None, end: float | None) -> Window:
        """From `-ss`, `-t` and `-to` in seconds; raises UsageError when nothing would be left."""
        if start is not None and not 0 <= start < float("inf"):
            raise UsageError(f"-ss is {start:g}, but must be 0 or more seconds.")
        if duration is None and end is not None:
            duration = end - (start or 0)
            if not duration > 0:
                raise UsageError(f"-to ({end:g}) must lie after -ss ({start or 0:g}).")
        if duration is not None and not duration > 0:
            raise UsageError(f"-t is {duration:g}, but must be more than 0 seconds.")
        endless = duration is None or duration == float("inf")
        return cls(None if start is None else Fraction(start), None if endless else Fraction(duration or 0))

    @property
    def bounded(self) -> bool:
        """Whether anything is cut away."""
        return self.start is not None or self.length is not None

    @property
    def shifts(self) -> bool:
        """Whether the first frame moves to time 0."""
        return self.start is not None

    @property
    def first(self) -> Fraction:
        """First wanted second, in the file's time."""
        return self.origin + (self.start or 0)

    @property
    def last(self) -> Fraction | None:
        """First second no longer wanted, in the file's time; None for the end of the file."""
        return None if self.length is None else self.first + self.length

    def after_start(self, time: Fraction) -> bool:
        """Whether a frame at `time` is not too early."""
        return time + _EPSILON >= self.first

    def before_end(self, time: Fraction) -> bool:
        """Whether `time` lies before the end."""
        return self.last is None or time < self.last - _EPSILON

    def begin(self, time: Fraction) -> None:
        """The first kept frame is at `time`."""
        if self.shifts:
            self.shift = self.audio_from = time

    def far_beyond(self, packet: av.Packet) -> bool:
        """Whether `packet` lies so far behind the end that no wanted audio can follow."""
        ticks = packet.dts if packet.dts is not None else packet.pts
        return ticks is not None and self.last is not None and ticks * packet.time_base > self.last + _SLACK

    def maybe_audio(self, packet: AudioPacket, track: AudioTrack) -> bool:
        """Whether an audio packet may yet be wanted, as long as the first frame is not known."""
        time = _time(packet, track)
        return time is None or self.after_start(time)

    def keeps_audio(self, packet: AudioPacket, track: AudioTrack) -> bool:
        """Whether an audio packet begins inside the window."""
        time = _time(packet, track)
        if time is None:
            return True
        return (self.audio_from is None or time >= self.audio_from) and self.before_end(time)

    def audio_done(self, packet: AudioPacket, track: AudioTrack) -> bool:
        """Whether this track is past the end of the window."""
        time = _time(packet, track)
        return time is not None and not self.before_end(time)

    def shift_audio(self, packet: AudioPacket, track: AudioTrack) -> AudioPacket:
        """`packet` in shifted time; its bytes are untouched."""
        if not self.shift:
            return packet
        ticks = round(self.shift / Fraction(*track.time_base))
        pts, dts = (None if value is None else value - ticks for value in (packet.pts, packet.dts))
        return dataclasses.replace(packet, pts=pts, dts=dts)


def _time(packet: AudioPacket, track: AudioTrack) -> Fraction | None:
    ticks = packet.pts if packet.pts is not None else packet.dts
    return None if ticks is None else ticks * Fraction(*track.time_base)
