"""Curves and means of a study."""

from __future__ import annotations

import made_up
import pytest

from xvcodec.rd.style import styles
from xvcodec.rd.view import Study


def test_points_come_in_order_of_rate() -> None:
    points = Study(made_up.study()).points("crossmodal", "bees")
    assert [point["crf"] for point in points] == [36.0, 32.0, 28.0, 24.0]


def test_means_are_taken_at_equal_crf() -> None:
    means = Study(made_up.study()).mean_curve("libx265:preset=medium", "psnr")
    assert [point.crf for point in means] == [36.0, 32.0, 28.0, 24.0]
    assert means[-1].bpp == pytest.approx(0.3) and means[-1].values["psnr"] == pytest.approx(37.0)


def test_means_of_ladders_of_their_own_are_taken_by_place() -> None:
    data = made_up.study()
    for number, point in enumerate(data["points"]):
        point["crf"] += number
    means = Study(data).mean_curve("crossmodal", "psnr")
    assert [point.crf for point in means] == [None] * 4 and means[-1].values["psnr"] == pytest.approx(37.0)


def test_clips_that_a_codec_lacks_are_in_no_mean() -> None:
    data = made_up.study()
    data["points"] = [point for point in data["points"] if (point["codec"], point["clip"]) != ("crossmodal", "frost")]
    study = Study(data)
    assert study.shared_clips("psnr") == ["bees", "coffee"]
    assert study.mean_curve("libx264:preset=medium", "psnr")[-1].values["psnr"] == pytest.approx(36.5)


def test_metrics_that_are_missing_leave_no_curve() -> None:
    data = made_up.study()
    for point in data["points"]:
        point["metrics"].pop("lpips")
    assert Study(data).curves("crossmodal", "lpips") == {} and Study(data).mean_curve("crossmodal", "lpips") == []


def test_bd_rows_have_the_form_of_the_schema() -> None:
    pytest.importorskip("bjontegaard", reason="the extra rd is not installed")
    rows = Study(made_up.study()).bd()
    assert {row["reference"] for row in rows} == {"libx265:preset=medium"} and len(rows) == 2 * 3
    row = next(row for row in rows if (row["codec"], row["metric"]) == ("crossmodal", "psnr"))
    assert row["method"] == "akima" and row["rate"]["mean"] == pytest.approx(50.0) and row["rate"]["clips"] == 3
    assert row["clips"]["bees"]["overlap"] == pytest.approx(1.0)


def test_labels_are_short_where_that_is_clear() -> None:
    names = ["libsvtav1:preset=6", "libx265:preset=medium", "libx265:preset=slow", "crossmodal", "a:preset=x", "a x"]
    look = styles([{"name": name, "kind": "external"} for name in names])
    labels = [look[name].label for name in names]
    assert labels == ["SVT-AV1 preset 6", "x265 medium", "x265 slow", "crossmodal", "a:preset=x", "a x"]
