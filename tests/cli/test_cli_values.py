"""Times, sizes and rates."""

from __future__ import annotations

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xvc_cli.progress import clock
from xvc_cli.values import PAIR, RATE, SIZE, TIME


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12.5", 12.5), (".5", 0.5), ("500ms", 0.5), ("90us", 9e-5), ("3s", 3), ("01:02.5", 62.5), ("1:00:00", 3600),
     ("00:01:02.5", 62.5), ("100:00:00", 360_000), ("0", 0)],
)  # fmt: skip
def test_times(text: str, seconds: float) -> None:
    assert TIME.convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:2:3:4", "1e3", "inf", "nan", "12,5", "1:", "٣", "0x10", "1 h"])
def test_no_times(text: str) -> None:
    with pytest.raises(click.BadParameter, match="not a time"):
        TIME.convert(text, None, None)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**7))
def test_what_is_shown_can_be_typed(milliseconds: int) -> None:
    assert TIME.convert(clock(milliseconds / 1000, 3), None, None) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("text", "size"),
    [("800k", 8e5), ("800K", 8e5), ("800kB", 8e5), ("2M", 2e6), ("1.5MiB", 1_572_864), ("1Gi", 2**30), ("123", 123)],
)
def test_sizes(text: str, size: float) -> None:
    assert SIZE.convert(text, None, None) == size


def test_bytes_in_a_rate_are_eight_bits() -> None:
    assert RATE.convert("500k", None, None) == 500_000
    assert RATE.convert("100kB", None, None) == 800_000


@pytest.mark.parametrize("text", ["", "k", "-5k", "0", "5m", "5iB", "5T", "1e6", "nan", "5 k b"])
def test_no_sizes(text: str) -> None:
    for kind in (SIZE, RATE):
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)


def test_pairs() -> None:
    assert PAIR.convert("a=b=c", None, None) == ("a", "b=c")
    assert PAIR.convert("a=", None, None) == ("a", "")
    with pytest.raises(click.BadParameter):
        PAIR.convert("=b", None, None)
