"""tools/learning_curve.py: logs in order, and laws that are found again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def tool(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    return load_tool("learning_curve")


def log(path: Path, steps: list[int], law: tuple[float, float, float], noise: float = 0.0) -> Path:
    """A log with a loss of a + b n^-c, and lines that are none."""
    a, b, c = law
    random = np.random.default_rng(0)
    lines = [json.dumps({"clip_loss": a + b * n**-c + noise * random.normal(), "step": n, "minutes": n / 100})
             for n in steps]
    path.write_text("\n".join(['{"optimiser": "new"}', "torch says something", *lines]) + "\n")
    return path


def test_a_run_begun_again_replaces_what_came_after(tool: ModuleType, tmp_path: Path) -> None:
    first = log(tmp_path / "a", [50, 100, 150, 200], (0.3, 1.0, 0.5))
    second = log(tmp_path / "b", [130, 180], (0.2, 1.0, 0.5))
    lines = tool.read([first, second])
    assert [line["step"] for line in lines] == [50, 100, 130, 180]
    assert [line["steps"] for line in lines] == [50, 50, 30, 50]


@pytest.mark.parametrize("law", [(0.3, 2.0, 0.5), (0.0, 1.5, 0.1), (0.4, 30.0, 1.0)])
def test_a_power_law_is_found_again(tool: ModuleType, law: tuple[float, float, float]) -> None:
    n = np.arange(100.0, 5000.0, 50.0)
    found = tool.fit(n, law[0] + law[1] * n ** -law[2], np.ones_like(n))
    for far in (5e3, 5e4, 5e5):
        assert found(far) == pytest.approx(law[0] + law[1] * far ** -law[2], rel=0.03)


def test_noise_widens_the_interval_of_the_far_end(tool: ModuleType) -> None:
    n = np.arange(100.0, 3000.0, 50.0)
    weight = np.ones_like(n)
    wide = []
    for noise in (0.002, 0.05):
        loss = 0.3 + 2.0 * n**-0.5 + noise * np.random.default_rng(1).normal(size=n.size)
        ends = [one(3e5) for one in tool.resampled(n, loss, weight)]
        wide.append(np.quantile(ends, 0.95) - np.quantile(ends, 0.05))
    assert wide[1] > 3 * wide[0]


def test_the_table_says_hours_and_factors(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path / "a", list(range(20, 2000, 20)), (0.3, 2.0, 0.5), 0.01)
    monkeypatch.setattr("sys.argv", ["learning_curve.py", str(path)])
    tool.main()
    told = capsys.readouterr().out
    assert "1980 steps, 0.33 device hours (on the clock)" in told
    assert "| clip_loss |" in told and "at 100 times" in told
    monkeypatch.setattr("sys.argv", ["learning_curve.py", str(log(tmp_path / "b", [1, 200], (0.3, 2.0, 0.5)))])
    with pytest.raises(SystemExit):
        tool.main()
