"""Builds torchac's C++ part once per user and loads it, in a way that cannot hang.

torchac compiles at import, and a killed import leaves a lock file on which every later one waits for ever. So the
first import happens in a child process with a time limit, in a folder of our own, under a lock that the operating
system releases when its holder dies; afterwards the built library is loaded directly.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import CoderError

BUILD_SECONDS = 180.0
_NAME = "torchac_backend"
_HELP = "install g++ and ninja, or use --coder constriction"
_guard = threading.Lock()
_loaded: dict[Path, Any] = {}


def cache_folder() -> Path:
    """Where the built library is kept: XVC_CACHE, or `xvc` in the user's cache folder."""
    own = os.environ.get("XVC_CACHE")
    base = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xvc"
    try:
        versions = "-".join(importlib.metadata.version(name) for name in ("torchac", "torch"))
    except importlib.metadata.PackageNotFoundError as error:
        raise CoderError(f"{error.name} is not installed; install it, or use --coder constriction") from None
    return base / f"torchac-{versions}-{sys.implementation.cache_tag}"


def load_backend(seconds: float = BUILD_SECONDS) -> Any:
    """The C++ module with `encode_cdf` and `decode_cdf`; the first call on a machine builds it.

    Raises CoderError when that fails or takes longer than `seconds`.
    """
    folder = cache_folder()
    with _guard:
        if folder not in _loaded:
            if not (folder / "complete").exists():
                _build(folder, seconds)
            _loaded[folder] = _load(folder / _NAME / f"{_NAME}.so")
        return _loaded[folder]


def _build(folder: Path, seconds: float) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder / "xvc.lock", seconds):
            if (folder / "complete").exists():
                return  # another process has built it meanwhile
            shutil.rmtree(folder / _NAME, ignore_errors=True)  # a lock file or half a library of a killed build
            _compile(folder, seconds)
            (folder / "complete").touch()
    except OSError as error:
        raise CoderError(f"torchac cannot be built in {folder} ({error.strerror}); use --coder constriction") from None


def _compile(folder: Path, seconds: float) -> None:
    """Import torchac in a child process, whose whole process group is ended when the time is up."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])  # pip's ninja
    compiler = os.environ.get("CXX", "c++").split()[0]
    for tool in (compiler, "ninja"):
        if shutil.which(tool, path=path) is None:
            raise CoderError(f"torchac has to be compiled, but {tool} was not found; {_HELP}")
    environment = {**os.environ, "TORCH_EXTENSIONS_DIR": str(folder), "PATH": path}
    child = subprocess.Popen(
        [sys.executable, "-c", "import torchac"], env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        _, errors = child.communicate(timeout=seconds)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise CoderError(f"torchac was not compiled within {seconds:g} seconds; {_HELP}") from None
        raise
    if child.returncode:
        lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
        reason = lines[-1].strip()[:200] if lines else f"exit code {child.returncode}"
        raise CoderError(f"torchac could not be compiled ({reason}); {_HELP}")


def _load(library: Path) -> Any:
    import torch  # noqa: F401  (its libraries must be in the process first)

    loader = importlib.machinery.ExtensionFileLoader(_NAME, str(library))
    spec = importlib.util.spec_from_file_location(_NAME, library, loader=loader)
    try:
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except ImportError as error:
        folder = library.parent.parent
        raise CoderError(f"torchac's library cannot be loaded ({error}); remove {folder} to build it again") from None
    return module


@contextlib.contextmanager
def _locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold an operating system lock on `path`; it goes when its holder dies, so it cannot be stale."""
    try:
        import fcntl
    except ImportError:
        raise CoderError("torchac is built on POSIX systems only; use --coder constriction") from None
    with open(path, "w") as file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CoderError(f"another process is still building torchac; wait for it, or {_HELP}") from None
                time.sleep(0.2)
        yield
