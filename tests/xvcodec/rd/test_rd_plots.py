"""The plots: complete files, the same each time, without pyplot."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

import made_up
import pytest

from xvcodec.rd import plots
from xvcodec.rd.view import Study

pytest.importorskip("matplotlib", reason="the extra rd is not installed")


def test_every_metric_gets_its_files(tmp_path) -> None:
    written = plots.write(Study(made_up.study()), tmp_path)
    names = {f"rd_{metric}{kind}.{suffix}" for metric in ("psnr", "msssim", "lpips") for kind in ("", "_clips")
             for suffix in ("png", "svg")}
    assert {path.name for path in written} == names == {path.name for path in tmp_path.iterdir()}
    for path in written:
        if path.suffix == ".png":
            assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5000
        else:
            ElementTree.parse(path)


def test_the_same_study_gives_the_same_bytes(tmp_path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        plots.write(Study(made_up.study(metrics=made_up.METRICS[:1])), tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_one_clip_and_one_codec_are_enough_and_names_are_made_safe(tmp_path) -> None:
    metric = {"name": "../my metric", "unit": "", "better": "higher", "definition": ""}
    data = made_up.study(["only $one_{"], {"crossmodal": ("xvc", 1.0)}, metrics=[metric])
    for point in data["points"]:
        point["metrics"] = {metric["name"]: point["metrics"]["psnr"]}
    written = plots.write(Study(data), tmp_path)
    assert len(written) == 4 and all(path.parent == tmp_path for path in written)


def test_a_study_without_points_has_no_plots(tmp_path) -> None:
    assert plots.write(Study(made_up.study(points=0)), tmp_path) == []


def test_figures_are_made_without_pyplots_state(tmp_path) -> None:
    import matplotlib

    before = matplotlib.rcParams["font.size"]
    plots.write(Study(made_up.study(metrics=made_up.METRICS[:1])), tmp_path)
    assert matplotlib.rcParams["font.size"] == before
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []
