"""What is said while work goes on: for people, for programs, and not at all."""

from __future__ import annotations

import dataclasses
import io
import json
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from xvc_cli.console import Console
from xvc_cli.progress import Meter, block, clock, line, meter

from tests.cli.conftest import SCORE, Calls, Xvc


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_line() -> None:
    assert line(SCORE) == (
        "frame=  120 fps= 14.1 q=32.0 size=      84kB bitrate=  140.0kbits/s time=00:00:04.80 speed=0.565x eta=00:00:13"
    )


def test_line_of_what_is_unknown() -> None:
    text = line(dataclasses.replace(SCORE, total=None, bytes=0, quality=None, elapsed=0.0, stage="verify"))
    assert text == "verify: frame=  120 fps=N/A time=00:00:04.80 speed=N/Ax eta=N/A"


def test_block() -> None:
    lines = block(SCORE, "continue").splitlines()
    pairs = dict(text.split("=", 1) for text in lines)
    assert lines[-1] == "progress=continue"
    assert pairs["frame"] == "120"
    assert pairs["total_size"] == "84000"
    assert pairs["out_time_us"] == "4800000"
    assert pairs["out_time"] == "00:00:04.800000"
    assert pairs["bitrate"] == "140.0kbits/s"


def test_clock() -> None:
    assert clock(3661.999) == "01:01:02.00"
    assert clock(float("nan")) == "N/A"
    assert clock(59.4, 0) == "00:00:59"


def test_at_most_twice_a_second() -> None:
    with redirect_stderr(Terminal()) as terminal, meter(Console(), None) as report:
        for frame in range(1, 1000):
            report(dataclasses.replace(SCORE, frame=frame))
    shown = terminal.getvalue()
    assert 2 <= shown.count("\r") <= 4  # the first, the last, and what half a second or two allow
    assert "frame=  999" in shown
    assert shown.endswith("\n")


def test_an_error_begins_on_its_own_line() -> None:
    def fail() -> None:
        with meter(Console(), None) as report:
            report(SCORE)
            raise ZeroDivisionError

    with redirect_stderr(Terminal()) as terminal, pytest.raises(ZeroDivisionError):
        fail()
    assert terminal.getvalue().endswith("\n")


def test_a_shorter_line_covers_a_longer_one() -> None:
    with redirect_stderr(Terminal()) as terminal:
        report = Meter(Console(), None)
        report(dataclasses.replace(SCORE, frame=10_000_000))
        report(SCORE)
        report.close()
    first, last = terminal.getvalue().strip("\r\n").split("\r")
    assert len(last) >= len(first)


@pytest.mark.parametrize("level", ["quiet", "error", "warning"])
def test_quiet_levels(level: str) -> None:
    with redirect_stderr(Terminal()) as terminal, meter(Console(level), None) as report:
        report(SCORE)
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("here", "library")
class TestOutput:
    """Where the words of a whole run go."""

    def test_no_terminal_no_line(self, xvc: Xvc) -> None:
        result = xvc("encode", "in.mp4", "-o", "out.xvc")
        assert "\r" not in result.err
        assert result.out == ""
        assert result.err.splitlines() == [
            "xvc: warning: a warning",
            "xvc: 300 frames of 640x360, 90.0 kB (video 84.0 kB, 0.0097 bits per pixel), crf 32.0, 10.0 s (30.0 fps); "
            "torch on the CPU",
        ]

    def test_loglevel(self, xvc: Xvc) -> None:
        assert xvc("encode", "in.mp4", "-o", "out.xvc", "-loglevel", "quiet").err == ""
        assert xvc("encode", "in.mp4", "-o", "out.xvc", "-v", "error").err == ""
        assert xvc("encode", "in.mp4", "-o", "out.xvc", "-v", "warning").err == "xvc: warning: a warning\n"

    def test_json(self, xvc: Xvc) -> None:
        told = json.loads(xvc("encode", "in.mp4", "-o", "out.xvc", "--json").out)
        assert told["frames"] == 300
        assert told["psnr"] is None
        assert told["warnings"] == ["a warning"]
        assert json.loads(xvc("decode", "in.xvc", "-o", "out.mp4", "--json").out)["damage"] == []

    @pytest.mark.parametrize("url", ["-", "pipe:1"])
    def test_progress_on_stdout(self, xvc: Xvc, url: str) -> None:
        result = xvc("encode", "in.mp4", "-o", "out.xvc", "-progress", url)
        assert result.out.count("progress=continue\n") == 1
        assert result.out.endswith("progress=end\n")

    def test_progress_in_a_file(self, xvc: Xvc, here: Path) -> None:
        assert xvc("decode", "in.xvc", "-o", "-", "-progress", "p.txt").out == ""
        assert (here / "p.txt").read_text().endswith("progress=end\n")

    def test_progress_nowhere(self, xvc: Xvc, library: Calls) -> None:
        result = xvc("encode", "in.mp4", "-o", "out.xvc", "-progress", "nosuch/p.txt")
        assert result.code == 2
        assert not library.asked
