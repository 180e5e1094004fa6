"""tools/caption_study.py: three ways of coding a clip, and the table that it makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from latent_models import clip

pytest.importorskip("bjontegaard", reason="the extra rd is not installed")


@pytest.fixture(scope="module")
def tool(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    return load_tool("caption_study")


def points(factor: float, caption: float = 0.0) -> dict[str, list[float]]:
    """A curve that takes `factor` times the bytes of 1, 2, 4 and 8 kB."""
    return {"bytes": (1000 * factor * 2.0 ** np.arange(4)).tolist(), "psnr": [30.0, 32.0, 34.0, 36.0], "caption": [caption]}


def test_bytes_of_the_caption_count(tool: ModuleType) -> None:
    found = {"right": points(0.98, 10.0), "none": points(1.0), "other": points(1.0, 10.0)}
    assert tool.against(found, "right", caption=False).rate == pytest.approx(-2.0, abs=0.01)
    assert tool.against(found, "right").rate > -2.0 and tool.wins(found)
    dear = found | {"right": points(0.98, 500.0)}
    assert not tool.wins(dear)
    lines = tool.table({"a": found, "b": dear}).splitlines()
    assert "1 of 2" in lines[-2] and "-2.000 %" in lines[-1]


def test_a_study_goes_on_where_it_stopped(tool: ModuleType, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    names = [clip(tmp_path / f"{name}.mkv", 64, 48, 5).name for name in "ab"]
    rows = [{"file": name, "caption": f"clip {name}"} for name in names]
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command = ["caption_study.py", str(tmp_path), "-o", str(tmp_path / "out"), "--model", str(tiny), "--crf", "10,25,40,55"]
    monkeypatch.setattr("sys.argv", command)
    tool.main()
    first = capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "tiny-latent.json").read_text())
    assert report["clips"]["a"]["none"]["caption"] == [0.0] and report["clips"]["a"]["right"]["caption"][0] > 10
    assert report["clips"]["a"]["right"]["psnr"] != report["clips"]["a"]["none"]["psnr"]
    monkeypatch.setattr(tool, "code", lambda *arguments: pytest.fail("coded again"))
    tool.main()
    assert capsys.readouterr().out == first
