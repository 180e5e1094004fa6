"""Whatever happens: one sentence, the right exit code, never a traceback unless it was asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from xvc_bitstream import DamagedError, FormatError

from tests.cli.conftest import Calls, Xvc
from xvcodec.errors import DeviceError, InputError, ModelError, OutputError, UsageError

KNOWN = [
    (InputError("'in.mp4' is not a video."), 1, "not a video"),
    (OutputError("The disk is full."), 1, "full"),
    (DeviceError("There is no CUDA device; use --device cpu."), 1, "--device cpu"),
    (ModelError("There is no model 'x'."), 1, "no model"),
    (UsageError("-g is 0."), 2, "-g"),
    (FormatError("this is not an .xvc file"), 1, ".xvc"),
    (DamagedError("byte 12: broken; use --ignore-errors"), 1, "--ignore-errors"),
    (PermissionError(13, "Permission denied", "out.xvc"), 1, "'out.xvc': Permission denied."),
    (OSError(28, "No space left on device"), 1, "No space left"),
    (MemoryError(), 1, "memory"),
    (RuntimeError("two\nlines"), 1, "Unexpected RuntimeError: two lines (-loglevel debug"),
    (EOFError("nothing"), 1, "Unexpected EOFError"),
    (KeyboardInterrupt(), 130, "Interrupted"),
]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("error", "code", "says"), KNOWN, ids=lambda value: type(value).__name__)
def test_one_sentence(xvc: Xvc, library: Calls, error: BaseException, code: int, says: str) -> None:
    library.error = error
    result = xvc("encode", "in.mp4", "-o", "out.xvc")
    assert result.code == code
    assert says in result.err
    assert "Traceback" not in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert result.out == ""


@pytest.mark.usefixtures("here")
def test_debug_shows_where(xvc: Xvc, library: Calls) -> None:
    library.error = RuntimeError("why")
    result = xvc("encode", "in.mp4", "-o", "out.xvc", "-loglevel", "debug")
    assert "Traceback" in result.err
    assert result.code == 1


@pytest.mark.usefixtures("here")
def test_quiet_is_quiet(xvc: Xvc, library: Calls) -> None:
    library.error = RuntimeError("why")
    result = xvc("encode", "in.mp4", "-o", "out.xvc", "-loglevel", "quiet")
    assert (result.code, result.out, result.err) == (1, "", "")


@pytest.mark.usefixtures("here")
def test_terminate_ends_like_an_exit(xvc: Xvc, library: Calls) -> None:
    before = signal.getsignal(signal.SIGTERM)
    library.error = SystemExit(143)
    with pytest.raises(SystemExit):
        xvc("encode", "in.mp4", "-o", "out.xvc")
    assert signal.getsignal(signal.SIGTERM) == before


def test_closed_pipe_is_no_drama(vectors_dir: Path) -> None:
    """`xvc probe | true`: no traceback, no 'Exception ignored'."""
    read, write = os.pipe()
    os.close(read)
    stream = next(iter(sorted(vectors_dir.glob("*.xvc"))))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "xvc_cli", "probe", str(stream)], stdout=write, stderr=subprocess.PIPE, timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    finally:
        os.close(write)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"ignored" not in done.stderr


@pytest.mark.parametrize("verb", ["probe", "captions"])
@pytest.mark.parametrize("content", [b"", b"\x00", b"not an xvc file", b"\x89XVC"], ids=["empty", "nul", "text", "cut"])
def test_files_that_are_no_xvc(xvc: Xvc, tmp_path: Path, verb: str, content: bytes) -> None:
    path = tmp_path / "bad.xvc"
    path.write_bytes(content)
    result = xvc(verb, path)
    assert result.code == 1
    assert len(result.err.strip().splitlines()) == 1
    assert "Traceback" not in result.err
