"""The tiny onedva model and a file of it, made once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from onedva_models import OPTIONS, clip, weights

import xvcodec


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Pictures are so small that threads only cost."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the tiny model."""
    return weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of odd size, two GOPs of it."""
    return clip(tmp_path_factory.mktemp("clips") / "source.mkv", 71, 45, 9)


@pytest.fixture(scope="session")
def coded(tmp_path_factory: pytest.TempPathFactory, tiny: Path, source: Path) -> Path:
    """The clip, coded."""
    path = tmp_path_factory.mktemp("coded") / "coded.xvc"
    xvcodec.encode(source, path, replace(OPTIONS, model=str(tiny), gop=6))
    return path
