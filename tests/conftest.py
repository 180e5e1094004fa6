"""What all tests share."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("xvc", suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
settings.load_profile("xvc")  # a run of unlucky draws, or of a busy machine, is no failure

# before any library reads it: threads of small products spin, and on a busy machine each waits for all others
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with real clips: XVC_DATA, or shared/data beside the checkout; tests that want it skip without."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("XVC_DATA") or root.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no clips: set XVC_DATA to a folder with original/ and val/")
    return folder


@pytest.fixture(scope="session")
def everything_drawn() -> Callable[[], AbstractContextManager[None]]:
    """Within it encoders believe that each quarter of what a flow draws helps; what tiny models draw is noise."""
    @contextmanager
    def believing() -> Iterator[None]:
        import torch

        from xvcodec.codec import drawing

        gaps = itertools.cycle([torch.tensor(1e-6**quarters) for quarters in range(drawing.MOST + 1)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(drawing, "texture_gap", lambda one, other: next(gaps))
            yield

    return believing


@pytest.fixture(scope="session")
def vectors_dir() -> Path:
    """The folder with the conformance streams."""
    return Path(__file__).resolve().parent / "vectors"


@pytest.fixture(scope="session")
def load_tool() -> Callable[[str], ModuleType]:
    """Imports a program of the folder `tools` by its name."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).resolve().parents[1] / "tools" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load
