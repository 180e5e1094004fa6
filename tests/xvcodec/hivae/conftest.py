"""The tiny hivae model and a file made with it, each once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from hivae_models import Drawn, clip, weights

import xvcodec
from xvcodec import EncodeOptions


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Pictures are so small that threads only cost."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the tiny model."""
    return weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def file(tiny: Path, tmp_path_factory: pytest.TempPathFactory, everything_drawn: Drawn) -> bytes:
    """An .xvc file: 12 frames of 64x48 in GOPs of 11 and 1, with a seed."""
    source = clip(tmp_path_factory.mktemp("hivae") / "in.mkv", 64, 48, 12)
    sink = io.BytesIO()
    with everything_drawn():
        xvcodec.encode(source, sink, EncodeOptions(model=str(tiny), crf=36.0, gop=11, seed=2**63 + 5, backend="torch",
                                                   device="cpu", prompt="a square on waves"))
    return sink.getvalue()
