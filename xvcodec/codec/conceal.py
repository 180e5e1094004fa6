"""What stands in for the frames of a damaged GOP: the picture beside it, at the times the index tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from xvc_bitstream import Gop, GopEntry

from xvcodec.media.types import Frame


@dataclass(frozen=True)
class LostGop:
    """A GOP that does not decode, and when its frames would have been shown."""

    number: int
    pts: tuple[int, ...]  # ticks, increasing; none when nothing is known of the GOP
    end: int  # first tick after the last frame

    @classmethod
    def of(cls, number: int, entries: list[GopEntry], gop: Gop | None, ticks: int) -> LostGop:
        """Make one.

        Args:
            number: of the GOP in `entries`.
            gop: its own head, when that at least was whole: then the times are exact.
            ticks: usual duration of a frame. Without `gop`, the frames are spread evenly over the entry's time.
        """
        entry = entries[number]
        if gop is not None:
            return cls(number, gop.pts, gop.pts[-1] + (gop.duration or ticks))
        if not entry.frames:
            return cls(number, (), entry.start_pts)
        span = entry.duration if entry.duration >= entry.frames else entry.frames * ticks
        if number + 1 < len(entries):  # an index that lies must not make times run backwards
            span = min(span, entries[number + 1].start_pts - entry.start_pts)
        pts = dict.fromkeys(entry.start_pts + span * i // entry.frames for i in range(entry.frames))
        return cls(number, tuple(pts), entry.start_pts + span)

    def frames(self, picture: Frame) -> Iterator[Frame]:
        """The lost frames, all showing `picture`."""
        ends = (*self.pts[1:], self.end)
        for start, end in zip(self.pts, ends, strict=False):  # without pts there is nothing to end
            yield replace(picture, pts=start, duration=end - start)
