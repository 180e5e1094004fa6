"""Pictures where GOPs meet: order, shares, motion, and what is not the same thing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xvcodec.codec.family import Ends, Planes
from xvcodec.codec.seams import REACH, TRUST, Seams, taking

STILL = torch.zeros(1, 2, 2, 4)
REST = Ends(STILL, STILL, 0.2)


def flat(levels: list[float]) -> Planes:
    """Pictures of 32x16 pixels, each of one level."""
    values = torch.tensor(levels).view(-1, 1, 1, 1)
    return Planes(values.expand(-1, 1, 16, 32), values.expand(-1, 2, 8, 16))


def shown(gops: list[list[float]], ends: Ends | None, together: int = 4) -> list[tuple[int, int, float]]:
    """(GOP, number, level) of every picture, through seams; they come `together`."""
    seams: Seams[int] = Seams()

    def everything() -> Iterator[tuple[int, int, Planes]]:
        for number, levels in enumerate(gops):
            parts = [flat(levels[at : at + together]) for at in range(0, len(levels), together)]
            yield from seams.through(number, len(levels), parts, ends)
        yield from seams.end()

    found = []
    for gop, at, planes in everything():
        for more in range(len(planes.luma)):
            luma, chroma = planes.luma[more], planes.chroma[more]
            assert torch.allclose(luma, luma[0, 0, 0], atol=1e-6) and torch.allclose(chroma, luma[0, 0, 0], atol=1e-6)
            found.append((gop, at + more, float(luma[0, 0, 0])))
    return found


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 5), st.booleans())
def test_every_picture_comes_once_and_in_order(counts: list[int], together: int, seamless: bool) -> None:
    found = shown([[0.0] * count for count in counts], REST if seamless else None, together)
    assert [each[:2] for each in found] == [(gop, at) for gop, count in enumerate(counts) for at in range(count)]


def test_one_level_goes_over_into_the_other_in_equal_steps() -> None:
    levels = [level for _, _, level in shown([[0.0] * 6, [0.05] * 6], REST)]
    expected = [0.0] * 4 + [0.01, 0.02, 0.03, 0.04] + [0.05] * 4
    assert levels == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("counts", "expected"), [
    ((2, 6), [0.0, 0.0125, 0.025, 0.0375] + [0.05] * 4),  # half of a short GOP
    ((1, 6), [0.0] + [0.05] * 6),  # a picture alone stays as it is
    ((6, 1), [0.0] * 4 + [0.05 / 3, 0.1 / 3, 0.05]),
])  # fmt: skip
def test_short_gops(counts: tuple[int, int], expected: list[float]) -> None:
    levels = [level for _, _, level in shown([[0.0] * counts[0], [0.05] * counts[1]], REST)]
    assert levels == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("ends", [None, Ends(STILL, STILL, 0.05 / TRUST / 2)])
def test_what_is_far_apart_stays_as_it_is(ends: Ends | None) -> None:
    levels = [level for _, _, level in shown([[0.0] * 6, [0.05] * 6], ends)]
    assert levels == pytest.approx([0.0] * 6 + [0.05] * 6, abs=1e-6)


def test_a_gop_that_was_lost_lies_between() -> None:
    seams: Seams[int] = Seams()
    first = [*seams.through(0, 6, [flat([0.0] * 6)], REST), *seams.end()]
    second = [*seams.through(2, 6, [flat([0.05] * 6)], REST), *seams.end()]
    assert [float(planes.luma[0, 0, 0, 0]) for _, _, planes in first] == [0.0] * 6
    assert [float(planes.luma[0, 0, 0, 0]) for _, _, planes in second] == pytest.approx([0.05] * 6)


def test_shares_follow_motion() -> None:
    """Two GOPs of one pattern that moves two pixels a picture: taking from the other changes nothing but edges."""
    pattern = torch.rand(1, 1, 16, 64, generator=torch.Generator().manual_seed(1)) - 0.5
    pattern = torch.nn.functional.avg_pool2d(pattern, 5, 1, 2)
    pictures = [pattern.roll(2 * at, 3)[..., 16:48] for at in range(12)]
    planes = [Planes(luma, luma[..., ::2, ::2].expand(-1, 2, -1, -1)) for luma in pictures]
    field = torch.zeros(1, 2, 2, 4)
    field[:, 0] = -8.0  # quarter pixels: in the picture before, things were two pixels to the left
    found = []
    for motion in (field, torch.zeros_like(field)):
        seams: Seams[int] = Seams()
        ends = Ends(motion, motion, 10.0)
        parts = [*seams.through(0, 6, planes[:6], ends), *seams.through(1, 6, planes[6:], ends), *seams.end()]
        inside = slice(4 * REACH, -4 * REACH)
        found.append(max(float((each.luma - of.luma)[..., inside].abs().max())
                         for (_, _, each), of in zip(parts, planes, strict=True)))
    assert found[0] < 1e-5 < 0.05 < found[1]


def test_nothing_is_taken_of_another_scene() -> None:
    own, other = (torch.rand(2, 1, 16, 32, generator=torch.Generator().manual_seed(2)) - 0.5).split(1)
    mine, its = (Planes(luma, luma[..., ::2, ::2].expand(-1, 2, -1, -1)) for luma in (own, other))
    assert torch.equal(taking(mine, its, STILL, 0.5, 0.1).luma, own)
    assert not torch.equal(taking(mine, its, STILL, 0.5, 4.0).luma, own)
