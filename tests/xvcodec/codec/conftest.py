"""Models, clips and files that the tests of the codec share; each is made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from codec_clips import INFO, options, steady, texture, write_clip

import xvcodec
from xvcodec.models.weights import LoadedModel, load_model


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Pictures are so small that threads only cost."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def fast() -> LoadedModel:
    """crossmodal-fast as shipped."""
    return load_model("crossmodal-fast")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """17 frames of 64x48, lossless."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mkv", INFO, texture(INFO, steady(17)))


@pytest.fixture(scope="session")
def coded(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip in GOPs of 8, 8 and 1 frames, with a prompt."""
    path = tmp_path_factory.mktemp("coded") / "clip.xvc"
    xvcodec.encode(clip, path, options(prompt="waves that drift"))
    return path


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An .xvc file of 32x32: GOPs of 2, 2 and 2 frames."""
    from dataclasses import replace

    folder = tmp_path_factory.mktemp("short")
    info = replace(INFO, width=32, height=32)
    source = write_clip(folder / "short.mkv", info, texture(info, steady(6)))
    xvcodec.encode(source, folder / "short.xvc", options(gop=2, crf=45.0))
    return (folder / "short.xvc").read_bytes()
