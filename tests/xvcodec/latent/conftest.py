"""The tiny latent model, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from latent_models import weights


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Pictures are so small that threads only cost."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the tiny model."""
    return weights(tmp_path_factory.mktemp("weights"))
