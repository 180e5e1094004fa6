"""torchac is built once, under a lock that cannot hang, and says plainly when it cannot be built."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from xvc_bitstream import CoderError
from xvc_bitstream.coders import torchac_build


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XVC_CACHE", str(tmp_path))
    return torchac_build.cache_folder()


def test_no_compiler_is_one_clear_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(CoderError, match="no-such-compiler was not found; install g\\+\\+ and ninja, or use --coder"):
        torchac_build.load_backend()
    assert not (cache / "complete").exists()


def test_a_build_that_hangs_is_ended(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nsleep 60\n")
    sleeper.chmod(0o755)
    (tmp_path / "c++").symlink_to(sleeper)
    (tmp_path / "ninja").symlink_to(sleeper)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    monkeypatch.delenv("CXX", raising=False)
    start = time.monotonic()
    with pytest.raises(CoderError, match=r"not compiled within 0\.3 seconds"):
        torchac_build.load_backend(0.3)
    assert time.monotonic() - start < 10


def test_a_build_that_fails_says_why(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'fatal: no disk' >&2\nexit 3\n")
    broken.chmod(0o755)
    (tmp_path / "c++").symlink_to(broken)
    (tmp_path / "ninja").symlink_to(broken)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(CoderError, match="fatal: no disk"):
        torchac_build.load_backend()


def test_a_lock_that_another_process_holds_is_waited_for_only_so_long(cache: Path) -> None:
    cache.mkdir(parents=True)
    hold = "fcntl.flock(f, 2); print(flush=True); time.sleep(60)"
    script = f"import fcntl, time; f = open({str(cache / 'xvc.lock')!r}, 'w'); {hold}"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(CoderError, match="another process is still building"):
            torchac_build.load_backend(0.3)
        holder.kill()


def test_a_cache_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XVC_CACHE", str(tmp_path / "file"))
    with pytest.raises(CoderError, match="--coder constriction"):
        torchac_build.load_backend()


def test_a_broken_library_is_one_clear_sentence(cache: Path) -> None:
    (cache / "torchac_backend").mkdir(parents=True)
    (cache / "torchac_backend" / "torchac_backend.so").write_bytes(b"no library")
    (cache / "complete").touch()
    pytest.importorskip("torch")
    with pytest.raises(CoderError, match=r"remove .* to build it again"):
        torchac_build.load_backend()


def _build(path: str) -> bool:
    os.environ["XVC_CACHE"] = path
    return hasattr(torchac_build.load_backend(), "encode_cdf")


@pytest.mark.slow
def test_a_cold_build_survives_a_stale_lock_and_company(cache: Path, tmp_path: Path) -> None:
    (cache / "torchac_backend").mkdir(parents=True)
    (cache / "torchac_backend" / "lock").touch()  # what a killed import leaves: torch waits on it for ever
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_build, [str(tmp_path)] * 2) == [True, True]
    assert (cache / "complete").exists()
