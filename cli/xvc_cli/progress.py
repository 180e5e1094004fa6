"""Progress as people read it (one line on stderr that overwrites itself) and as programs do (`-progress`)."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TextIO

import click

from .console import Console

if TYPE_CHECKING:
    from xvcodec import Progress

_PERIOD = 0.5  # seconds between two updates


class Report(Protocol):
    """What the library calls."""

    def __call__(self, progress: Progress) -> None: ...


def clock(seconds: float, digits: int = 2) -> str:
    """`seconds` as 00:01:02.50, without the fraction where `digits` is 0."""
    if not math.isfinite(seconds):
        return "N/A"
    ticks = round(max(seconds, 0.0) * 10**digits)
    whole, fraction = divmod(ticks, 10**digits)
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{text}.{fraction:0{digits}d}" if digits else text


def _rates(p: Progress) -> tuple[float, float, float, float]:
    """(frames a second, kbit/s of media time, speed, seconds to go); nan where unknown."""
    fps = p.frame / p.elapsed if p.elapsed > 0 else math.nan
    bitrate = p.bytes * 8 / p.seconds / 1000 if p.seconds > 0 and p.bytes else math.nan  # a decode counts no bytes
    speed = p.seconds / p.elapsed if p.elapsed > 0 else math.nan
    left = max(p.total - p.frame, 0) / fps if p.total and fps > 0 else math.nan
    return fps, bitrate, speed, left


def line(p: Progress) -> str:
    """The line for people, in FFmpeg's words."""
    fps, bitrate, speed, left = _rates(p)
    quality = "" if p.quality is None else f"q={p.quality:.1f} "
    text = f"frame={p.frame:5d} fps={_known(fps, '5.1f')} {quality}"
    if p.bytes:
        text += f"size={p.bytes / 1000:8.0f}kB bitrate={bitrate:7.1f}kbits/s "
    text += f"time={clock(p.seconds)} "
    text += f"speed={_known(speed, '.3g')}x eta={clock(left, 0)}"
    return text if p.stage in ("encode", "decode") else f"{p.stage}: {text}"


def block(p: Progress, state: str) -> str:
    """The lines for programs: key=value, the last one progress=continue or progress=end."""
    fps, bitrate, speed, left = _rates(p)
    pairs = {
        "frame": p.frame,
        "total_frames": p.total if p.total is not None else "N/A",
        "stage": p.stage,
        "fps": _known(fps, ".2f"),
        "q": _known(math.nan if p.quality is None else p.quality, ".1f"),
        "bitrate": _known(bitrate, ".1f") + ("" if math.isnan(bitrate) else "kbits/s"),
        "total_size": p.bytes or "N/A",
        "out_time_us": round(p.seconds * 1_000_000),
        "out_time": clock(p.seconds, 6),
        "speed": _known(speed, ".3g") + ("" if math.isnan(speed) else "x"),
        "eta": clock(left, 0),
        "progress": state,
    }
    return "".join(f"{key}={value}\n" for key, value in pairs.items())


def _known(value: float, form: str) -> str:
    return "N/A" if math.isnan(value) else format(value, form)


class Meter:
    """Called with every Progress; writes at most twice a second, and the last state when it closes."""

    def __init__(self, console: Console, machine: TextIO | None) -> None:
        self._live, self._machine = console.live, machine
        self._last: Progress | None = None
        self._due, self._width = 0.0, 0

    def __call__(self, progress: Progress) -> None:
        """Remember `progress`, and show it when it is time."""
        self._last = progress
        if time.monotonic() >= self._due:
            self._show("continue")
            self._due = time.monotonic() + _PERIOD

    def _show(self, state: str) -> None:
        if self._last is None:
            return
        if self._machine:
            self._machine.write(block(self._last, state))
            self._machine.flush()
        if self._live:
            text = line(self._last)
            sys.stderr.write("\r" + text.ljust(self._width))
            sys.stderr.flush()
            self._width = len(text)

    def close(self) -> None:
        """Show the last state and leave the line."""
        self._show("end")
        self.leave()

    def leave(self) -> None:
        """Let what comes next begin on a line of its own."""
        if self._live and self._width:
            sys.stderr.write("\n")
            self._width = 0


@contextlib.contextmanager
def meter(console: Console, target: str | None) -> Iterator[Meter]:
    """A Meter that also writes to `-progress` TARGET: `-`, `pipe:1`, `pipe:2`, or a file."""
    with contextlib.ExitStack() as stack:
        machine: TextIO | None = None
        if target in ("-", "pipe:1"):
            machine = sys.stdout
        elif target == "pipe:2":
            machine = sys.stderr
        elif target is not None:
            try:
                machine = stack.enter_context(open(target.removeprefix("file:"), "w", encoding="utf-8"))
            except OSError as error:
                raise click.UsageError(f"-progress {target} cannot be written ({error.strerror}).") from None
        shown = Meter(console, machine)
        stack.callback(shown.leave)
        yield shown
        shown.close()
