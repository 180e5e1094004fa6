"""Two reports: regressions are found, and what cannot be compared is said."""

from __future__ import annotations

import copy

import made_up
import pytest

from xvcodec.rd.compare import compare
from xvcodec.rd.view import Study

pytest.importorskip("bjontegaard", reason="the extra rd is not installed")


def changed(**factors: float) -> Study:
    """The made-up study with other rates and times for `crossmodal`."""
    data = copy.deepcopy(made_up.study())
    for point in data["points"]:
        if point["codec"] == "crossmodal":
            point["bpp"] *= factors.get("rate", 1.0)
            point["encode_s"] *= factors.get("encode", 1.0)
    return Study(data)


def verdicts(earlier: Study, later: Study) -> dict[str, str]:
    return {change.codec: change.verdict for change in compare(earlier, later).changes if change.metric == "psnr"}


def test_a_study_is_the_same_as_itself() -> None:
    result = compare(changed(), changed())
    assert {change.verdict for change in result.changes} == {"same"} and result.worse == () and result.notes == ()
    assert all(speed.encode == speed.decode == 1.0 and speed.points == 12 for speed in result.speeds)


def test_more_bits_are_worse_and_fewer_are_better() -> None:
    assert verdicts(changed(), changed(rate=1.1))["crossmodal"] == "worse"
    expected = {"crossmodal": "better", made_up.X264: "same", made_up.X265: "same"}
    assert verdicts(changed(), changed(rate=0.9)) == expected
    change = compare(changed(), changed(rate=0.9)).changes[0]
    assert change.rate is not None and change.rate["mean"] == pytest.approx(-10.0)


def test_gains_on_some_clips_and_losses_on_others_are_unclear() -> None:
    later = changed()
    for point in later.data["points"]:
        point["bpp"] *= 1.2 if point["clip"] == "bees" else 0.9
    assert verdicts(changed(), later)["crossmodal"] == "unclear"


def test_the_text_names_regressions_first() -> None:
    lines = compare(changed(), changed(rate=1.1, encode=2.0)).text().splitlines()
    assert lines[0].startswith("worse      crossmodal, psnr: +10.0 % bits [+10.0, +10.0] over 3 clips; best ")
    assert "crossmodal: encoding 2.00 times slower, decoding as fast (12 points)" in lines


def test_other_clips_and_codecs_are_left_out_and_named() -> None:
    later = made_up.study(["bees", "coffee", "ribbon"], {"crossmodal": ("xvc", 1.5), "new": ("xvc", 1.0)})
    later["clips"][1]["sha256"] = "other"
    result = compare(changed(), Study(later))
    assert set(result.changes[0].clips) == {"bees"}
    assert "Clip 'coffee' is not the same in both reports, and is left out." in result.notes
    assert "Clip 'frost' is only in the earlier report." in result.notes
    assert "Clip 'ribbon' is only in the later report." in result.notes
    assert "Codec 'new' is only in the later report." in result.notes


def test_weights_may_change_their_name() -> None:
    later = made_up.study(codecs={"new.safetensors": ("xvc", 1.2)})
    result = compare(changed(), Study(later), pairs={"crossmodal": "new.safetensors"})
    change = result.changes[0]
    assert change.verdict == "better" and change.rate is not None and change.rate["mean"] == pytest.approx(-20.0)
    assert len(result.speeds) == 1


def test_times_of_other_machines_are_not_compared() -> None:
    later = copy.deepcopy(made_up.study())
    later["conditions"]["machine"]["cpu"] = "another"
    assert compare(changed(), Study(later)).speeds == ()
    later["conditions"]["timed"] = False
    assert "times were not measured" in compare(changed(), Study(later)).notes[-1]


def test_no_figure_has_its_reason() -> None:
    short = Study(made_up.study(points=3))
    result = compare(short, Study(made_up.study()))
    assert result.changes[0].verdict == "no figure" and "has 3 points" in result.text()
