"""`xvc train`: what it asks of the library, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Xvc
from xvcodec.training import recipes


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the library is asked; it only makes a checkpoint."""
    calls: list[tuple[Any, ...]] = []

    def train(name: str, data: Path, out: Path, minutes: float | None, device: str, report: Any) -> Path:
        calls.append((name, data, out, minutes, device))
        report('{"step": 1}')
        (out / f"{name}.pt").touch()
        return out / "weights.safetensors"

    monkeypatch.setattr(recipes, "train", train)
    return calls


def test_train(xvc: Xvc, asked: list[tuple[Any, ...]], tmp_path: Path) -> None:
    out = tmp_path / "runs" / "one"
    args = ["crossmodal", "--data", tmp_path, "--out", out]
    result = xvc("train", *args, "--minutes", "1.5")
    assert (result.code, result.out) == (0, '{"step": 1}\n')
    assert "weights.safetensors" in result.err
    assert asked == [("crossmodal", tmp_path, out, 1.5, "auto")]
    assert "--resume" in xvc("train", *args).err
    assert xvc("train", *args, "--resume").code == 0
    assert "no checkpoint" in xvc("train", "crossmodal-fast", *args[1:], "--resume").err
    assert len(asked) == 2


def test_list(xvc: Xvc) -> None:
    shown = xvc("train", "--list")
    assert all(name in shown.out for name in recipes.RECIPES)


def test_unknown_recipe(xvc: Xvc, tmp_path: Path) -> None:
    result = xvc("train", "nosuch", "--data", tmp_path, "--out", tmp_path / "out")
    assert result.code == 2
    assert "crossmodal" in result.err


@pytest.mark.parametrize("args", [[], ["crossmodal"], ["crossmodal", "--data", "/nosuch", "--out", "x"]])
def test_what_is_needed(xvc: Xvc, args: list[str]) -> None:
    assert xvc("train", *args).code == 2
