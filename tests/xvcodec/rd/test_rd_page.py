"""The page: which pictures it takes, its budget, and that nothing in it reaches out or breaks out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import made_up
import numpy as np
import pytest

from xvcodec.errors import InputError
from xvcodec.rd import page
from xvcodec.rd.page.choose import levels
from xvcodec.rd.page.pictures import Budget, _fit, evenly, galleries
from xvcodec.rd.view import Study

pytest.importorskip("bjontegaard", reason="the extra rd is not installed")


def decode(file: Path, codec: str | None):
    """Eight frames whose grey tells their number; sources are darker."""
    for number in range(8):
        yield np.full((48, 64, 3), (100 if codec else 0) + 10 * number, np.uint8)


def sources(study: Study) -> dict[str, Path]:
    return {clip: Path(f"{clip}.mp4") for clip in study.clips}


def parts(file: Path) -> tuple[str, dict, list[dict]]:
    """The page as text, its data, and its pictures by clip."""
    text = file.read_text()
    found = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', text, re.DOTALL)
    assert found[0][0] == "data"
    return text, json.loads(found[0][1]), [json.loads(body) for _, body in found[1:]]


def test_levels_are_the_closest_rates() -> None:
    study = Study(made_up.study())
    (low, high) = levels(study, "bees", 2)
    assert low.rate < high.rate and low.spread == pytest.approx(1.5) == high.spread
    assert {point["crf"] for point in high.points.values()} in ({24.0}, {28.0}, {32.0}, {36.0})
    assert len(levels(study, "bees", 1)) == 1


def test_points_without_a_kept_stream_are_not_shown() -> None:
    data = made_up.study()
    for point in data["points"]:
        point["stream"] = None if point["codec"] == "crossmodal" else point["stream"]
    assert all(set(level.points) == {made_up.X264, made_up.X265} for level in levels(Study(data), "bees", 2))
    for point in data["points"]:
        point["stream"] = None
    assert levels(Study(data), "bees", 2) == []


def test_frames_are_the_middles_of_equal_parts() -> None:
    assert evenly(64, 4) == [8, 24, 40, 56] and evenly(3, 8) == [0, 1, 2] and evenly(1, 8) == [0]


def test_the_page_holds_every_picture_and_says_what_it_shows(tmp_path) -> None:
    study = Study(made_up.study())
    target = page.write(study, tmp_path, sources(study), budget=Budget(frames=4), decode=decode)
    text, data, pictures = parts(target)
    assert target == tmp_path / "index.html" and len(pictures) == 3 == len(data["viewer"])
    assert data["viewer"][0]["numbers"] == [1, 3, 5, 7] and data["viewer"][0]["source"]
    assert len(pictures[0]) == 4 + 2 * 3 * 4 and {"source/0", "1/3/crossmodal"} <= set(pictures[0])
    row = next(row for row in data["bd"] if row["codec"] == "crossmodal" and row["reference"] == made_up.X265)
    assert row["rate"]["mean"] == pytest.approx(50.0) and {row["method"] for row in data["bd"]} == {"akima", "pchip"}
    assert data["viewer"][0]["levels"][0]["points"]["crossmodal"]["frames"]["psnr"][0] is not None
    outside = re.sub(r"http://www\.w3\.org/(2000/svg|1999/xhtml)", "", text)
    assert "http" not in outside.replace("http-equiv", "") and "default-src 'none'" in text


def test_pictures_are_not_made_twice(tmp_path) -> None:
    study = Study(made_up.study())
    page.write(study, tmp_path, sources(study), decode=decode)

    def never(file: Path, codec: str | None):
        raise AssertionError("decoded again")
        yield

    first = (tmp_path / "index.html").read_bytes()
    page.write(study, tmp_path, sources(study), decode=never)
    assert (tmp_path / "index.html").read_bytes() == first


def test_a_small_budget_thins_frames_then_rates_then_clips(tmp_path) -> None:
    study = Study(made_up.study())
    full, _ = galleries(study, tmp_path, sources(study), Budget(), decode)
    assert [len(gallery.numbers) for gallery in full] == [8] * 3 and len(full[0].levels) == 2
    size = sum(gallery.size for gallery in full) / 0.75e6
    for share, frames, rates in ((0.7, {4, 5}, 2), (0.45, {4, 5, 6}, 1), (0.1, {1}, 1)):
        few, notes = _fit(full, Budget(size * share), []), []
        assert sum(gallery.size for gallery in few) <= size * share * 0.75e6 and not notes
        assert len(few) == 3 and len(few[0].numbers) in frames and len(few[0].levels) == rates
    few, notes = galleries(study, tmp_path, sources(study), Budget(size / 40), decode)
    assert 0 < len(few) < 3 and notes[0].startswith(f"The viewer holds the first {len(few)} of 3 clips")


def test_thinned_pictures_keep_their_frames() -> None:
    study = Study(made_up.study(["bees"]))
    gallery = page.Gallery("bees", (0, 2, 4, 6), tuple(levels(study, "bees", 2)),
                           {(level, "crossmodal", n): Path(f"{level}-{n}") for level in range(2) for n in range(4)})
    thin = gallery.thinned(1, 2)
    assert thin.numbers == (2, 6) and thin.pictures == {(0, "crossmodal", 0): Path("1-1"), (0, "crossmodal", 1): Path("1-3")}


def test_what_cannot_be_decoded_is_said_and_the_rest_is_shown(tmp_path) -> None:
    study = Study(made_up.study())

    def half(file: Path, codec: str | None):
        if codec == "crossmodal":
            raise InputError("These weights are not here.")
        if codec == made_up.X264:
            yield np.zeros((48, 64, 3), np.uint8)
        else:
            yield from decode(file, codec)

    target = page.write(study, tmp_path, {"bees": Path("bees.mp4")}, decode=half)
    _, data, _ = parts(target)
    assert "'bees-crossmodal-28.mkv' is not in the viewer: These weights are not here." in " ".join(data["unseen"])
    assert "it ends before frame" in " ".join(data["unseen"])
    assert "The source of 'coffee' is not there: the viewer shows only its reconstructions." in data["unseen"]
    assert list(data["viewer"][0]["levels"][0]["points"]) == [made_up.X265] and not data["viewer"][1]["source"]


def test_names_cannot_break_out_of_the_page(tmp_path) -> None:
    evil = "</script><img src=x onerror=alert(1)>\u2028"
    data = made_up.study([evil, "b"], {evil: ("external", 1.0), made_up.X265: ("ffmpeg", 1.1)})
    data["points"][0]["metrics"]["msssim"] = float("nan")
    target = page.write(Study(data), tmp_path, {}, decode=decode)
    text, read, _ = parts(target)
    assert "<img src=x" not in text and "\u2028" not in text and read["clips"][0]["name"] == evil


def test_without_streams_the_page_has_no_viewer(tmp_path) -> None:
    data = made_up.study()
    for point in data["points"]:
        point["stream"] = None
    _, read, pictures = parts(page.write(Study(data), tmp_path, decode=decode))
    assert read["viewer"] == [] and pictures == [] and not (tmp_path / "frames").exists()


def test_sources_that_results_name_are_found(tmp_path) -> None:
    from xvcodec.media import synthesise

    data = made_up.study(["clip"])
    synthesise(tmp_path / "clip.mp4")
    data["clips"][0]["path"] = "clip.mp4"

    def mixed(file: Path, codec: str | None):
        yield from decode(file, codec) if codec else page.decode(file, codec)

    _, read, _ = parts(page.write(Study(data), tmp_path, budget=Budget(frames=1), decode=mixed))
    assert read["viewer"][0]["source"] and read["unseen"] == []
