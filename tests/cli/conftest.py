"""The command line in this process, with the library's work replaced by records of what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from xvc_cli.main import main

import xvcodec
from xvcodec import DecodeResult, EncodeResult, Progress

SCORE = Progress(frame=120, total=300, seconds=4.8, bytes=84_000, elapsed=8.5, quality=32.0, stage="encode")


@dataclass(frozen=True)
class Outcome:
    """What a run of `xvc` left."""

    code: int
    out: str
    err: str


Xvc = Callable[..., Outcome]


@pytest.fixture
def xvc(capsys: pytest.CaptureFixture[str]) -> Xvc:
    """`xvc("encode", "in.mp4", ...)` in this process."""

    def run(*args: object) -> Outcome:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@dataclass
class Calls:
    """What the library was asked, and what it shall answer."""

    asked: list[tuple[Any, Any, Any]] = field(default_factory=list)  # (source, target, options) of every call
    error: BaseException | None = None  # raised instead of an answer

    @property
    def options(self) -> Any:
        """Options of the last call."""
        return self.asked[-1][2]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """encode and decode that only remember."""
    calls = Calls()
    encoded = EncodeResult(300, 640, 360, 90_000, 84_000, 0.00972, None, 10.0, 32.0, "torch on the CPU", ("a warning",))
    decoded = DecodeResult(300, 5.0, (), "torch on the CPU")

    def answer(result: Any) -> Callable[..., Any]:
        def call(source: Any, target: Any, options: Any, progress: Any = None) -> Any:
            calls.asked.append((source, target, options))
            if calls.error is not None:
                raise calls.error
            if progress is not None:
                progress(SCORE)
            return result

        return call

    monkeypatch.setattr(xvcodec, "encode", answer(encoded))
    monkeypatch.setattr(xvcodec, "decode", answer(decoded))
    return calls


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with one file each that passes for an input."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.mp4").write_bytes(b"not really")
    (tmp_path / "in.xvc").write_bytes(b"not really")
    return tmp_path
