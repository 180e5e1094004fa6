"""BD figures against values that are known without the library, and everything that must be refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

from xvcodec.errors import UsageError
from xvcodec.rd.bd import Curve, compare_curves, delta, overlap, summarise

pytest.importorskip("bjontegaard", reason="the extra rd is not installed")

RATES = np.array([0.05, 0.09, 0.2, 0.41])
VALUES = np.array([30.1, 32.4, 34.9, 37.0])
ANCHOR = Curve.of(RATES, VALUES)


@pytest.mark.parametrize("method", ["akima", "pchip"])
def test_a_constant_factor_of_rate_is_the_bd_rate(method) -> None:
    row = delta(ANCHOR, Curve.of(0.8 * RATES, VALUES), method=method)
    assert row.rate == pytest.approx(-20.0, abs=1e-9) and row.overlap == pytest.approx(1.0) and row.why is None


@pytest.mark.parametrize("method", ["akima", "pchip"])
def test_a_constant_gain_is_the_bd_quality(method) -> None:
    row = delta(ANCHOR, Curve.of(RATES, VALUES + 0.75), method=method)
    assert row.quality == pytest.approx(0.75, abs=1e-9) and row.overlap_rate == pytest.approx(1.0)


@pytest.mark.parametrize(("method", "kind"), [("akima", Akima1DInterpolator), ("pchip", PchipInterpolator)])
def test_against_a_sum_over_many_small_steps(method, kind) -> None:
    test = Curve.of([0.04, 0.1, 0.17, 0.3], [30.9, 33.5, 35.1, 36.2])
    row = delta(ANCHOR, test, method=method)
    low, high = 30.9, 36.2
    at = low + (np.arange(200_000) + 0.5) * (high - low) / 200_000
    gap = kind(test.quality, np.log10(test.rate))(at) - kind(VALUES, np.log10(RATES))(at)
    assert row.rate == pytest.approx(100 * (10 ** gap.mean() - 1), abs=1e-6)
    assert row.overlap == pytest.approx((high - low) / (37.0 - 30.1))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.05, 0.6), min_size=4, max_size=6), st.floats(0.5, 2.0), st.floats(-0.5, 0.5))
def test_swapping_the_curves_inverts_the_figures(steps, factor, lift) -> None:
    rates = np.cumsum(steps) / 5
    first, second = Curve.of(rates, 30 + 5 * np.log2(rates)), Curve.of(factor * rates, 30 + lift + 5 * np.log2(rates))
    there, back = delta(first, second, min_overlap=0), delta(second, first, min_overlap=0)
    assert (there.rate is None) == (back.rate is None) and there.overlap == pytest.approx(back.overlap)
    if there.rate is not None and back.rate is not None:
        assert (1 + there.rate / 100) * (1 + back.rate / 100) == pytest.approx(1.0)
    if there.quality is not None and back.quality is not None:
        assert there.quality == pytest.approx(-back.quality)


def test_where_lower_is_better_fewer_bits_stay_negative() -> None:
    row = delta(Curve.of(RATES, 1 - VALUES / 40), Curve.of(0.8 * RATES, 1 - VALUES / 40), "lower")
    assert row.rate == pytest.approx(-20.0) and row.quality is not None and row.quality < 0.0


def test_curves_that_hardly_overlap_get_no_figure() -> None:
    row = delta(ANCHOR, Curve.of(RATES, VALUES + 5))
    assert row.rate is None and row.why == "the curves share 16.0 % of their qualities, but a figure needs 33.3 %"
    assert row.quality == pytest.approx(5.0)
    apart = delta(ANCHOR, Curve.of(RATES * 100, VALUES + 20))
    assert (apart.rate, apart.quality, apart.overlap, apart.overlap_rate) == (None, None, 0.0, 0.0)


@pytest.mark.parametrize(("curve", "reason"), [
    (Curve.of(RATES[:3], VALUES[:3]), "the codec has 3 points, but a curve needs 4"),
    (Curve.of([0.1], [30]), "the codec has 1 point, but a curve needs 4"),
    (Curve.of([], []), "the codec has no points, but a curve needs 4"),
    (Curve.of(RATES, [30, 33, 32, 36]), "the codec does not gain quality with every bit more: it has no inverse"),
    (Curve.of([0.1, 0.1, 0.2, 0.3], VALUES), "the codec does not gain quality with every bit more: it has no inverse"),
    (Curve.of(RATES, [30, 33, 35, float("inf")]), "the codec has points that are not finite"),
    (Curve.of([0, 0.1, 0.2, 0.3], VALUES), "the codec has points that are not finite"),
])
def test_curves_without_an_inverse_are_refused(curve, reason) -> None:
    row = delta(ANCHOR, curve)
    assert (row.rate, row.quality, row.why, row.why_quality) == (None, None, reason, reason)
    assert (delta(curve, ANCHOR).why or "").startswith("the reference ")


def test_a_point_that_was_measured_twice_counts_once() -> None:
    assert len(Curve.of([0.2, 0.1, 0.2], [3, 2, 3]).rate) == 2


def test_overlap_of_equal_points_and_of_nothing() -> None:
    assert overlap(np.array([1.0]), np.array([1.0])) == 0.0 and overlap(np.array([]), VALUES) == 0.0


def test_bootstrap_is_seeded_and_holds_the_mean() -> None:
    values = [-10.0, -8.0, -3.0, 1.0, -12.0]
    first, again, other = summarise(values, 1), summarise(values, 1), summarise(values, 2)
    assert first == again and first != other and first is not None
    assert first.mean == pytest.approx(-6.4) and first.clips == 5
    assert first.low is not None and first.high is not None and -12.0 < first.low < -6.4 < first.high < 1.0


def test_bootstrap_has_the_width_that_the_theory_gives() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, 400)
    row = summarise(values)
    assert row is not None and row.low is not None and row.high is not None
    assert row.high - row.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)


def test_no_interval_below_three_clips_and_nothing_without_values() -> None:
    two = summarise([1.0, 3.0])
    assert two is not None and (two.mean, two.low, two.high, two.clips) == (2.0, None, None, 2)
    assert summarise([]) is None


def test_a_mean_needs_half_of_the_clips() -> None:
    near, far = Curve.of(0.9 * RATES, VALUES), Curve.of(RATES, VALUES + 20)
    half = compare_curves({"a": ANCHOR, "b": ANCHOR}, {"a": near, "b": far}, "higher")
    assert half["rate"]["clips"] == 1 and half["clips"]["b"]["why"]
    assert compare_curves(dict.fromkeys("abc", ANCHOR), {"a": near, "b": far, "c": far}, "higher")["rate"] is None


def test_an_unknown_method_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="akima, pchip"):
        delta(ANCHOR, ANCHOR, method="cubic")  # type: ignore[arg-type]


def test_the_package_starts_without_matplotlib_and_scipy() -> None:
    code = "import sys, xvcodec, xvcodec.rd.page; sys.exit(bool({'scipy', 'matplotlib', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
