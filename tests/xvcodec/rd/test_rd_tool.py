"""tools/rd_study.py: which studies it asks for, and the tables that it makes of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import made_up
import pytest

from xvcodec import rd

pytest.importorskip("bjontegaard", reason="the extra rd is not installed")

TOOL = Path(__file__).resolve().parents[3] / "tools" / "rd_study.py"


def test_tables_of_all_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: dict[str, dict[str, Any]] = {}

    def run(clips: Sequence[Path], codecs: Sequence[str], metrics: Sequence[str], output: Path, **more: Any) -> rd.Results:
        asked[output.name] = more
        output.mkdir(parents=True)
        names = [codec.partition(":crf=")[0] for codec in codecs]
        kinds = {name: ("xvc" if name.startswith("crossmodal") else "ffmpeg", 1.5 - 0.1 * number)
                 for number, name in enumerate(names)}
        known = [metric for metric in made_up.METRICS if metric["name"] in metrics]
        return rd.Results(made_up.study(codecs=kinds, metrics=known)).changed((), more.get("reference"))

    monkeypatch.setattr(rd, "run", run)
    monkeypatch.setattr(rd.report, "write", lambda results, folder: [])
    monkeypatch.setattr("sys.argv", ["rd_study.py", "clips", "-o", str(tmp_path / "runs"), "--frames", "16"])
    spec = importlib.util.spec_from_file_location("rd_study", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.main() == 0
    told = capsys.readouterr().out
    assert told == (tmp_path / "runs" / "tables.md").read_text()
    assert {name: more["frames"] for name, more in asked.items()} == {
        "table": 16, "bd": 16, "stills": 1, "text-crossmodal": 16, "text-crossmodal-fast": 16}
    assert "| crossmodal | 36 | 28.00 dB |" in told
    assert "| BD-rate against x265 medium | psnr | msssim |" in told
    assert "| crossmodal | +25.0 % (+25.0 .. +25.0) |" in told, "1.5 times against 1.2 times"
    assert "| x265 medium | 4.0 | 16.0 |" in told
    assert "| crossmodal, another clip's | -13.3 % (-13.3 .. -13.3) |" in told
    assert "3 clips, at most 8 frames each" in told
