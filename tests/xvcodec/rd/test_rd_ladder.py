"""The search for ladders, against codecs whose curves are known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xvcodec.rd.ladder import EXTRA, TOLERANCE, Plan, Scale, plan

Curve = Callable[[float], float]
X265, AV1, WEBP = Scale(0, 51, 26, 37), Scale(1, 63, 45, 61), Scale(100, 0, 80, 15)


def solve(codecs: Mapping[str, tuple[Scale, Curve]], points: int = 4,
          wished: tuple[float, float] = (30.0, 36.0)) -> tuple[Plan, dict[str, dict[float, float]], int]:
    """Answer until nothing is asked any more: the plan, what is known, and the number of rounds."""
    scales = {name: scale for name, (scale, _) in codecs.items()}
    known: dict[str, dict[float, float]] = {name: {} for name in codecs}
    for rounds in range(60):
        found = plan(scales, known, points, wished)
        if not found.wanted:
            return found, known, rounds
        for name, asked in found.wanted.items():
            assert not known[name].keys() & set(asked), "a setting was asked for twice"
            known[name] |= {setting: codecs[name][1](setting) for setting in asked}
    raise AssertionError("the search does not end")


def test_codecs_of_all_kinds_cover_the_range() -> None:
    codecs: dict[str, tuple[Scale, Curve]] = {
        "x265": (X265, lambda crf: 50.0 - 0.55 * crf),
        "av1": (AV1, lambda crf: 44.0 - 0.12 * crf - 0.0015 * crf * crf),
        "xvc": (Scale(0, 63, 26, 60), lambda crf: 41.0 - 0.18 * crf),
        "webp": (WEBP, lambda quality: 26.0 + 0.12 * quality)}
    found, known, _ = solve(codecs)
    assert found.note is None
    for name, ladder in found.chosen.items():
        values = [known[name][setting] for setting in ladder]
        assert 4 <= len(values) <= 6
        assert values == sorted(values, reverse=True)
        assert abs(values[0] - 36) <= TOLERANCE
        assert abs(values[-1] - 30) <= TOLERANCE
        assert max(a - b for a, b in itertools.pairwise(values)) < 3.0
        assert len(known[name]) <= 7


def test_a_good_first_guess_wastes_nothing() -> None:
    found, known, rounds = solve({"x265": (X265, lambda crf: 36.0 - 6.0 * (crf - 26) / 11)})
    assert len(known["x265"]) == len(found.chosen["x265"]) == 4
    assert rounds == 2


def test_a_codec_that_falls_short_narrows_the_range_for_all() -> None:
    found, known, _ = solve({"good": (X265, lambda crf: 50.0 - 0.5 * crf), "poor": (X265, lambda crf: 33.5 - 0.1 * crf)})
    assert found.note is not None
    assert "30.0..34.1" in found.note
    tops = {name: known[name][ladder[0]] for name, ladder in found.chosen.items()}
    assert tops["poor"] == 33.5
    assert abs(tops["good"] - 34.1) <= TOLERANCE


def test_codecs_without_a_common_range_are_told_of() -> None:
    found, _, _ = solve({"good": (X265, lambda crf: 60.0 - 0.3 * crf), "poor": (X265, lambda crf: 31.0 - 0.1 * crf)})
    assert found.note is not None
    assert "no common range" in found.note
    assert all(len(ladder) >= 1 for ladder in found.chosen.values())


@pytest.mark.parametrize(("good", "told"), [(lambda crf: 60.0 - 0.45 * crf, "36.4..42.4"),
                                            (lambda crf: 29.0 - 0.4 * crf, "23.6..29.6")])
def test_where_nothing_is_left_of_the_range_one_beside_it_is_taken(good: Curve, told: str) -> None:
    found, known, _ = solve({"usual": (X265, lambda crf: 58.0 - 0.8 * crf), "other": (X265, good)})
    assert found.note is not None
    assert told in found.note
    low, high = map(float, told.split(".."))
    for name, ladder in found.chosen.items():
        assert 4 <= len(ladder) <= 6
        assert abs(known[name][ladder[0]] - high) <= TOLERANCE + 0.1
        assert abs(known[name][ladder[-1]] - low) <= TOLERANCE + 0.1
        assert len(known[name]) <= 8


def test_the_number_of_points_is_told_before_they_are_asked_for() -> None:
    codecs: dict[str, tuple[Scale, Curve]] = {
        "good": (X265, lambda crf: 50.0 - 0.5 * crf), "poor": (X265, lambda crf: 33.5 - 0.1 * crf)}
    known: dict[str, dict[float, float]] = {name: {} for name in codecs}
    totals = []
    while (found := plan({name: scale for name, (scale, _) in codecs.items()}, known)).wanted:
        totals.append(sum(found.expected.values()))
        for name, asked in found.wanted.items():
            known[name] |= {setting: codecs[name][1](setting) for setting in asked}
    made = sum(map(len, known.values()))
    assert sum(found.expected.values()) == made
    assert totals[0] == 2 * 4
    assert totals[-1] == made
    assert totals[-1] <= totals[-2], "points between the ends were counted while the ends were looked for"


def test_a_scale_with_few_steps_gives_what_it_has() -> None:
    found, _, _ = solve({"steep": (Scale(1, 5, 2, 4), lambda crf: 40.0 - 3.0 * crf)})
    assert found.chosen["steep"] == [1, 2, 3] or found.chosen["steep"] == [1.0, 2.0, 3.0]


def test_the_same_knowledge_gives_the_same_plan() -> None:
    known = {"x265": {26.0: 37.2, 37.0: 29.1}}
    assert plan({"x265": X265}, known) == plan({"x265": X265}, {"x265": dict(reversed(known["x265"].items()))})


@settings(max_examples=50, deadline=None)
@given(top=st.floats(25, 60), slope=st.floats(0.0, 2.0), bend=st.floats(-0.01, 0.01), wobble=st.floats(0, 1.5),
       points=st.integers(2, 8), low=st.floats(20, 40), span=st.floats(0.5, 15))
def test_the_search_always_ends(top: float, slope: float, bend: float, wobble: float, points: int, low: float,
                                span: float) -> None:
    def curve(crf: float) -> float:
        return top - slope * crf - bend * crf * crf + wobble * math.sin(3 * crf)

    found, known, _ = solve({"a": (X265, curve), "b": (AV1, lambda crf: 45.0 - 0.25 * crf)}, points, (low, low + span))
    assert set(found.chosen) == {"a", "b"}
    assert all(len(tried) <= points + 2 * EXTRA for tried in known.values())
    assert all(setting in known[name] for name, ladder in found.chosen.items() for setting in ladder)


def test_guesses_follow_the_wished_quality() -> None:
    assert X265.guess(36) == 26
    assert X265.guess(30) == 37
    assert X265.guess(90) == 0
    assert WEBP.setting(WEBP.guess(30)) == pytest.approx(15)
