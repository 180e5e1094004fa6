"""Which reconstructions the viewer shows: one point of every codec at nearly the same rate, at one or two rates a clip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from xvcodec.rd.view import Point, Study

APART = math.log(1.3)
"""Levels whose mean rates are closer than this look the same."""
CLOSE = 1.35
"""A further level is not worth its megabytes when its rates differ by more, unless the best one's do, too."""


@dataclass(frozen=True)
class Level:
    """Points of one clip that are to be seen side by side."""

    points: Mapping[str, Point]  # by codec
    rate: float  # bits a pixel, geometric mean
    spread: float  # highest over lowest rate, at least 1


def levels(study: Study, clip: str, count: int) -> list[Level]:
    """At most `count` levels, by rising rate: the closest match of all, and close ones that are clearly away from it.

    Only points whose coded file was kept take part. With one codec alone the spread is 1.
    """
    kept = {codec: [point for point in study.points(codec, clip) if point.get("stream")] for codec in study.codecs}
    ladders = {codec: ladder for codec, ladder in kept.items() if ladder}
    rates = {float(point["bpp"]) for ladder in ladders.values() for point in ladder}
    found: list[Level] = []
    for level in sorted((_around(rate, ladders) for rate in rates), key=lambda level: (level.spread, -level.rate)):
        far = all(abs(math.log(level.rate / other.rate)) > APART for other in found)
        if len(found) < count and far and (not found or level.spread <= max(CLOSE, found[0].spread)):
            found.append(level)
    return sorted(found, key=lambda level: level.rate)


def _around(rate: float, ladders: Mapping[str, Sequence[Point]]) -> Level:
    """Of every codec the point that is nearest to `rate`."""
    points = {codec: min(ladder, key=lambda point: abs(math.log(point["bpp"] / rate))) for codec, ladder in ladders.items()}
    rates = [float(point["bpp"]) for point in points.values()]
    return Level(points, math.exp(fmean(map(math.log, rates))), max(rates) / min(rates))
