"""Lets the tests of this folder import its helper modules, and builds torchac once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def torchac() -> object:
    """The torchac coder; the tests that need it are skipped on a machine that cannot build it."""
    from xvc_bitstream import CoderError, get_coder
    from xvc_bitstream.coders.torchac_build import load_backend

    try:
        load_backend()
    except CoderError as error:
        pytest.skip(str(error))
    return get_coder("torchac")


def pytest_configure(config: pytest.Config) -> None:
    """Know the mark even where pyproject.toml does not declare it."""
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
