"""Results of other tools: read, checked, and told apart from our own."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from made_up import X265, study

from xvcodec.errors import InputError, UsageError
from xvcodec.rd import Results
from xvcodec.rd.external import read

CLIPS = study()["clips"]
ROWS = [{"clip": "bees", "codec": "dcvc", "crf": qp, "bpp": bpp, "psnr": psnr, "encode_s": 2.5}
        for qp, bpp, psnr in ((0, 0.02, 27.5), (21, 0.05, 30.5), (42, 0.1, 33.5), (63, 0.2, 36.5))]


def as_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    nested = [{**row, "psnr": None, "metrics": {"psnr": row["psnr"]}} for row in ROWS]
    files = [as_csv(tmp_path / "a.csv", ROWS), as_json(tmp_path / "a.json", ROWS), as_json(tmp_path / "b.json", nested),
             as_json(tmp_path / "c.json", {"points": ROWS})]
    found = [read(file, CLIPS, ["psnr"], []) for file in files]
    assert all(other.points == found[0].points for other in found)
    assert found[0].codecs == [{"name": "dcvc", "kind": "external", "version": "a.csv"}]
    point = found[0].points[1]
    assert point["bytes"] == round(0.05 * 64 * 48 * 8 / 8)
    assert (point["metrics"], point["encode_s"], point["decode_s"], point["stream"]) == ({"psnr": 30.5}, 2.5, None, None)


@pytest.mark.parametrize(("rate", "bpp"), [({"bpp": 0.1}, 0.1), ({"bytes": 3072}, 1.0), ({"kbps": 76.8}, 1.0)])
def test_any_rate_will_do(tmp_path: Path, rate: dict[str, float], bpp: float) -> None:
    row = {"clip": "bees", "codec": "dcvc", "psnr": 30, **rate}
    (point,) = read(as_json(tmp_path / "a.json", [row]), CLIPS, ["psnr"], []).points
    assert point["bpp"] == pytest.approx(bpp)
    assert point["kbps"] == pytest.approx(76.8 * bpp)
    assert point["bytes"] == pytest.approx(3072 * bpp, abs=0.5)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    rows = [*ROWS, ROWS[0] | {"clip": "gone"}, ROWS[0] | {"codec": X265}, ROWS[0] | {"crf": 5, "bpp": 0.03, "vmaf": 80}]
    added = read(as_json(tmp_path / "a.json", rows), CLIPS, ["psnr"], [X265])
    assert len(added.points) == 5
    assert [any(word in note for note in added.notes) for word in ("'gone'", X265, "vmaf")] == [True] * 3


def test_reports_bring_their_clips_to_be_compared(tmp_path: Path) -> None:
    other = study(codecs={"mine": ("xvc", 0.9), X265: ("ffmpeg", 1.0)})
    other["clips"][0]["sha256"] = "another file"
    other["clips"][1]["frames"] = 7
    added = read(as_json(tmp_path / "results.json", other), CLIPS, ["psnr", "msssim", "lpips"], [X265])
    assert {(point["clip"], point["codec"]) for point in added.points} == {("frost", "mine")}
    assert sum("another file or another number of frames" in note for note in added.notes) == 2


@pytest.mark.parametrize(("change", "why"), [
    ({"clip": ""}, "names its clip"), ({"codec": None}, "names its clip"), ({"bpp": 0}, "no rate"),
    ({"bpp": None}, "no rate"),
    ({"bpp": "x"}, "no number"), ({"bpp": "nan"}, "no number"), ({"psnr": "inf"}, "no number"), ({"psnr": ""}, "no value"),
])
def test_wrong_rows_are_named(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=f"point 2.*{why}"):
        read(as_json(tmp_path / "a.json", [ROWS[0], ROWS[1] | change]), CLIPS, ["psnr"], [])


@pytest.mark.parametrize("text", ["", "[", "7", '"a"', "{}", '{"points": 3}', '{"points": [1]}', "[" * 5000,
                                  '{"points": [], "clips": [1]}'])
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError):
        read(tmp_path / "a.json", CLIPS, ["psnr"], [])
    with pytest.raises(InputError):
        Results.load(tmp_path / "a.json")


def test_nothing_for_this_study_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Nothing in .* bees, coffee, frost"):
        read(as_csv(tmp_path / "a.csv", [ROWS[0] | {"clip": "gone"}]), CLIPS, ["psnr"], [])
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "gone.csv", CLIPS, ["psnr"], [])
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\xd8" * 9)
    with pytest.raises(InputError, match="not text"):
        read(tmp_path / "b.csv", CLIPS, ["psnr"], [])


def test_a_report_takes_them_in(tmp_path: Path) -> None:
    results = Results(study())
    bigger = results.changed([results.read(as_csv(tmp_path / "a.csv", ROWS))], X265, "pchip")
    assert bigger.codecs[-1] == "dcvc"
    row = next(row for row in bigger.data["bd"] if (row["codec"], row["metric"]) == ("dcvc", "psnr"))
    assert (row["reference"], row["method"]) == (X265, "pchip")
    assert row["clips"]["bees"]["rate"] is not None
    assert results.codecs == study()["codecs"] or "dcvc" not in results.codecs
    with pytest.raises(UsageError, match="none of the codecs"):
        results.changed(reference="x266")


def test_our_own_table_can_be_added(tmp_path: Path) -> None:
    results = Results(study(codecs={"crossmodal": ("xvc", 1.5)}))
    (tmp_path / "results.csv").write_text(results.csv())
    added = read(tmp_path / "results.csv", CLIPS, ["psnr", "msssim", "lpips"], [])
    assert [point["metrics"] for point in added.points] == [point["metrics"] for point in results.data["points"]]


@pytest.mark.parametrize("change", [
    {"schema": "xvc-rd/2"}, {"schema": None}, {"points": [{}]}, {"clips": 3}, {"conditions": None},
    {"points": [{"clip": "bees", "codec": X265, "bpp": float("nan"), "metrics": {}}]},
    {"points": [{"clip": "gone", "codec": X265, "bpp": 1.0, "metrics": {}}]},
])
def test_damaged_reports_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    as_json(tmp_path / "results.json", study() | change)
    with pytest.raises(InputError):
        Results.load(tmp_path)
