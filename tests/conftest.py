"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
def vectors_dir() -> Path:
    """The folder with the conformance streams."""
    return Path(__file__).resolve().parent / "vectors"
