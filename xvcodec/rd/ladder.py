"""Which settings each codec is run at, so that all cover the same range of quality: found from the points there are.

`plan` is a function of what is known, and nothing else: a study that was stopped asks for the same points again. Every
trial is a whole point. Ends come first; where a codec cannot reach the range, the others are asked for what it can reach,
and where nothing of the range is left, for one as wide beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.6
"""An end may be this many dB off."""
CLOSE = 0.35
"""A point between may be this share of the distance of two points off."""
EXTRA = 6
"""Trials a codec beyond the points that are wanted."""
RANGE = (30.0, 36.0)
"""PSNR-RGB in dB, mean over the clips."""


@dataclass(frozen=True)
class Scale:
    """A codec's quality setting, best .. worst in steps."""

    best: float
    worst: float
    high: float  # a first guess of the setting that gives 36 dB
    low: float  # and 30 dB

    @property
    def notches(self) -> int:
        """Number of steps of 1."""
        return int(abs(self.worst - self.best))

    def setting(self, notch: int) -> float:
        """The setting `notch` steps below the best one."""
        return self.best + (notch if self.worst > self.best else -notch)

    def notch(self, setting: float) -> float:
        """The inverse."""
        return abs(setting - self.best)

    def guess(self, quality: float) -> int:
        """A notch that may have this quality."""
        share = (RANGE[1] - quality) / (RANGE[1] - RANGE[0])
        return self._inside(self.notch(self.high) + share * (self.notch(self.low) - self.notch(self.high)))

    def _inside(self, notch: float) -> int:
        return int(np.clip(round(notch), 0, self.notches))


@dataclass(frozen=True)
class Plan:
    """What is to be run next, by codec, or (when nothing is) what makes up the ladders."""

    wanted: Mapping[str, list[float]]
    chosen: Mapping[str, list[float]]
    expected: Mapping[str, int]  # by codec, how many settings will have been run in the end, as far as can be told
    note: str | None = None


def plan(scales: Mapping[str, Scale], known: Mapping[str, Mapping[float, float]], points: int = 4,
         wished: tuple[float, float] = RANGE) -> Plan:
    """The next settings to try.

    Args:
        scales: by codec.
        known: by codec, the quality (dB) of the settings that were run.
        points: how many each ladder shall have at least.
        wished: lowest and highest quality.
    """
    searches = {name: _Search(scale, known.get(name, {}), points) for name, scale in scales.items()}
    ends, wanted, low, high = _range(searches, *wished)
    between = points - 2 if wanted else 0  # that will still be asked for
    note = None
    if not wanted:
        if (low, high) != wished:
            note = f"Not every codec reaches {wished[0]:g}..{wished[1]:g} dB: " + (
                f"the ladders cover {low:.1f}..{high:.1f} dB." if high - low >= 2 * TOLERANCE else
                "there is no common range of quality, and each covers what it can; give them settings with crf=a,b,c.")
        inner = {name: search.between(*ends[name]) for name, search in searches.items()}
        wanted = {name: notches for name, notches in inner.items() if notches}
    notches = wanted or {name: [notch for notch in sorted(search.known) if ends[name][0] <= notch <= ends[name][1]]
                         for name, search in searches.items()}
    settings = {name: list(map(scales[name].setting, found)) for name, found in notches.items()}
    expected = {name: len(search.known) + len(wanted.get(name, ())) + between for name, search in searches.items()}
    return Plan(settings if wanted else {}, {} if wanted else settings, expected, note)


_Ends = tuple[dict[str, tuple[int, int]], dict[str, list[int]]]


def _range(searches: Mapping[str, _Search], low: float, high: float, moved: bool = False) -> tuple[*_Ends, float, float]:
    """As `_ends`, for the range from `low` to `high`, or what all reach of it, or one as wide beside it; and which it is.

    Where the codecs have no range in common, the upper end is less than 2 TOLERANCE above the lower one.
    """
    ends, wanted = _ends(searches, low, high)
    if wanted:
        return ends, wanted, low, high
    least, most = _common(searches, ends, low, high)
    if (least, most) == (low, high) or most - least >= 2 * TOLERANCE:
        return *_ends(searches, least, most), least, most
    if moved or (low < least and most < high):
        return ends, wanted, least, most
    span = high - low
    beside = (least, least + span) if low < least else (most - span, most)
    return _range(searches, *beside, moved=True)


def _ends(searches: Mapping[str, _Search], low: float, high: float) -> _Ends:
    """Notches of the best and the worst end by codec, and what must be tried to know them."""
    ends, wanted = {}, {}
    for name, search in searches.items():
        found = [search.end(high), search.end(low)]
        if missing := sorted({notch for notch, known in found if not known}):
            wanted[name] = missing
        ends[name] = (min(found)[0], max(found)[0])
    return ends, wanted


def _common(searches: Mapping[str, _Search], ends: Mapping[str, tuple[int, int]], low: float,
            high: float) -> tuple[float, float]:
    """The range that all reach, within the tolerance."""
    for name, search in searches.items():
        best, worst = (search.known[notch] for notch in ends[name])
        low, high = max(low, worst - TOLERANCE), min(high, best + TOLERANCE)
    return low, high


class _Search:
    """One codec: qualities by notch, falling as notches rise."""

    def __init__(self, scale: Scale, known: Mapping[float, float], points: int) -> None:
        self.scale, self.points = scale, points
        self.known = {round(scale.notch(setting)): quality for setting, quality in sorted(known.items())}

    @property
    def spent(self) -> bool:
        return len(self.known) >= self.points + EXTRA

    def end(self, target: float) -> tuple[int, bool]:
        """The notch whose quality is near `target`, and whether it was tried."""
        if not self.known:
            return self.scale.guess(target), False
        near = min(self.known, key=lambda notch: (abs(self.known[notch] - target), notch))
        if abs(self.known[near] - target) <= TOLERANCE or self.spent:
            return near, True
        notch = self.scale.guess(target) if len(self.known) < 2 else self.notch_at(target)
        return (near, True) if notch in self.known else (notch, False)

    def notch_at(self, target: float) -> int:
        """Where the polygon through the known points, prolonged at both ends, has this quality."""
        notches = sorted(self.known)
        pairs = list(itertools.pairwise(notches))
        inside = [pair for pair in pairs if self.known[pair[0]] >= target >= self.known[pair[1]]]
        left, right = inside[0] if inside else pairs[0] if target > self.known[notches[0]] else pairs[-1]
        slope = max((self.known[left] - self.known[right]) / (right - left), 0.02)  # dB a notch
        base = left if inside or target > self.known[notches[0]] else right
        notch = base + (self.known[base] - target) / slope
        reach = 0.4 * self.scale.notches  # a slope holds only so far
        notch = float(np.clip(notch, base - reach, base + reach))
        return int(np.clip(round(notch), *((left, right) if inside else (0, self.scale.notches))))

    def between(self, best: int, worst: int) -> list[int]:
        """Notches to be tried for the points between both ends."""
        if worst - best < 2:
            return []
        top, bottom = self.known[best], self.known[worst]
        room = CLOSE * (top - bottom) / max(1, self.points - 1)
        wanted = []
        for target in np.linspace(top, bottom, self.points)[1:-1]:
            if any(abs(quality - target) <= room for notch, quality in self.known.items() if best < notch < worst):
                continue
            notch = self.notch_at(float(target))
            if notch not in self.known and best < notch < worst and not self.spent:
                wanted.append(notch)
        return sorted(set(wanted))
