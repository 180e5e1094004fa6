"""A study's results as curves: what the tables, plots and the page read. Works on the plain object of results.json."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .bd import Curve, Method, compare_curves

Point = Mapping[str, Any]


@dataclass(frozen=True)
class MeanPoint:
    """The mean of one point a clip: of the same crf, or of the same place in the ladder where every clip has its own."""

    crf: float | None  # None where the clips' differ
    bpp: float
    kbps: float
    values: Mapping[str, float]  # by metric


class Study:
    """Read-only view of an "xvc-rd/1" object; codecs, clips and metrics in the order in which it lists them."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.clips: list[str] = [clip["name"] for clip in data["clips"]]
        self.codecs: list[str] = [codec["name"] for codec in data["codecs"]]
        self.metrics: list[str] = [metric["name"] for metric in data["metrics"]]
        self._points: dict[tuple[str, str], list[Point]] = {}
        for point in data["points"]:
            self._points.setdefault((point["codec"], point["clip"]), []).append(point)
        for points in self._points.values():
            points.sort(key=lambda point: (point["bpp"], point.get("crf") or 0.0))

    @property
    def notes(self) -> list[str]:
        """What has to be known about the study, one sentence each."""
        return list(self.data.get("notes", []))

    @property
    def absences(self) -> list[str]:
        """Which metrics were asked for and not measured, and why: a sentence each, with the clips where it is not all."""
        clips: dict[tuple[str, str], list[str]] = {}
        for row in self.data.get("missing", []):
            found = clips.setdefault((row["name"], row["reason"]), [])
            found += [row["clip"]] if row.get("clip") else []
        return [f"{name} was not measured{_on(named)}: {reason}" for (name, reason), named in clips.items()]

    def metric(self, name: str) -> Mapping[str, Any]:
        """Unit, direction and definition of a metric."""
        return next(metric for metric in self.data["metrics"] if metric["name"] == name)

    def points(self, codec: str, clip: str, metric: str | None = None) -> list[Point]:
        """In order of rate; with `metric`, only those that have it."""
        found = self._points.get((codec, clip), [])
        return [point for point in found if metric is None or point["metrics"].get(metric) is not None]

    def curve(self, codec: str, clip: str, metric: str) -> Curve:
        """Rate in bits a pixel and the metric's values."""
        points = self.points(codec, clip, metric)
        return Curve.of([point["bpp"] for point in points], [point["metrics"][metric] for point in points])

    def curves(self, codec: str, metric: str) -> dict[str, Curve]:
        """By clip, those that have points."""
        return {clip: self.curve(codec, clip, metric) for clip in self.clips if self.points(codec, clip, metric)}

    @cached_property
    def reference(self) -> str | None:
        """What BD figures refer to: what the file says, else x265, else the first codec of FFmpeg's, else the first."""
        if self.data.get("bd"):
            return str(self.data["bd"][0]["reference"])
        anchors = [codec["name"] for codec in self.data["codecs"] if codec["kind"] == "ffmpeg"]
        return next((name for name in [*filter(re.compile("libx265").match, anchors), *anchors, *self.codecs]), None)

    @property
    def method(self) -> Method:
        """The interpolant of the file's own BD figures."""
        rows = self.data.get("bd")
        return "pchip" if rows and rows[0]["method"] == "pchip" else "akima"

    def shared_clips(self, metric: str) -> list[str]:
        """Clips that every codec with any point has points for: means over others would not compare."""
        taking = [codec for codec in self.codecs if self.curves(codec, metric)]
        return [clip for clip in self.clips if taking and all(self.points(codec, clip, metric) for codec in taking)]

    def mean_curve(self, codec: str, metric: str) -> list[MeanPoint]:
        """Means over `shared_clips`: by crf where all clips have the same ones, by place in the ladder otherwise."""
        ladders = [self.points(codec, clip, metric) for clip in self.shared_clips(metric)]
        if not ladders:
            return []
        groups = _by_crf(ladders) or [list(group) for group in zip(*ladders, strict=False)]
        return sorted((_mean(group) for group in groups), key=lambda point: point.bpp)

    def bd(self, reference: str | None = None, method: Method = "akima", seed: int = 0) -> list[dict[str, Any]]:
        """The `bd` rows of results.json: every metric and every codec but the reference."""
        reference = reference or self.reference
        rows: list[dict[str, Any]] = []
        for metric in self.metrics:
            base = self.curves(reference, metric) if reference else {}
            better = self.metric(metric)["better"]
            rows.extend({"metric": metric, "reference": reference, "codec": codec, "method": method}
                        | compare_curves(base, self.curves(codec, metric), better, method, seed)
                        for codec in self.codecs if base and codec != reference)
        return rows


def _on(clips: Sequence[str]) -> str:
    some = ", ".join(f"'{clip}'" for clip in clips[:3])
    return f" on {some}{f' and {len(clips) - 3} more clips' if len(clips) > 3 else ''}" if clips else ""


def _by_crf(ladders: Sequence[Sequence[Point]]) -> list[list[Point]]:
    """Points of one crf together, for the crfs that all clips have; nothing when fewer than half are shared."""
    tables = [{point["crf"]: point for point in ladder if point.get("crf") is not None} for ladder in ladders]
    shared = set(tables[0]).intersection(*tables[1:])
    if 2 * len(shared) < max(map(len, ladders)) or len(shared) < min(2, len(ladders[0])):
        return []
    return [[table[crf] for table in tables] for crf in sorted(shared)]


def _mean(points: Sequence[Point]) -> MeanPoint:
    crfs = {point.get("crf") for point in points}
    names = [name for name in points[0]["metrics"] if all(point["metrics"].get(name) is not None for point in points)]
    values = {name: float(np.mean([point["metrics"][name] for point in points])) for name in names}
    rates = [float(np.mean([point[key] or 0.0 for point in points])) for key in ("bpp", "kbps")]
    return MeanPoint(crfs.pop() if len(crfs) == 1 else None, rates[0], rates[1], values)
