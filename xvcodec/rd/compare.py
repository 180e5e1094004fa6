"""Two reports, one codec at a time: what became better, what became worse, and by how much.

The earlier report is the reference: a BD-rate of -3 % says that the later one needs 3 % fewer bits. A verdict needs
the whole confidence interval on one side (below three clips, where there is none, the mean) and more than `TOLERANCE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from .bd import Method, compare_curves
from .view import Point, Study

Verdict = Literal["better", "worse", "same", "unclear", "no figure"]
TOLERANCE = 0.1
"""BD-rates within this many percent of zero count as the same."""
FASTER = 1.1
"""A ratio of times that is worth a word."""


@dataclass(frozen=True)
class Change:
    """One codec by one metric."""

    codec: str  # its name in the earlier report
    later: str  # in the later one
    metric: str
    verdict: Verdict
    rate: Mapping[str, Any] | None  # mean, low, high, clips of the BD-rate in percent
    quality: Mapping[str, Any] | None  # of the BD-quality in the metric's unit
    clips: Mapping[str, Mapping[str, Any]]  # `bd.Delta` by clip


@dataclass(frozen=True)
class Speed:
    """Geometric mean of later over earlier seconds, over points of the same clip and crf; below 1 is faster."""

    codec: str
    encode: float
    decode: float
    points: int


@dataclass(frozen=True)
class Comparison:
    """What two reports say about the codecs that both have."""

    changes: tuple[Change, ...]
    speeds: tuple[Speed, ...]
    notes: tuple[str, ...]  # what could not be compared, one sentence each

    @property
    def worse(self) -> tuple[Change, ...]:
        """The regressions."""
        return tuple(change for change in self.changes if change.verdict == "worse")

    def to_json(self) -> dict[str, Any]:
        """A plain object."""
        return asdict(self)

    def text(self) -> str:
        """For people: a line a codec and metric, regressions first."""
        order = ("worse", "better", "unclear", "no figure", "same")
        changes = sorted(self.changes, key=lambda change: order.index(change.verdict))
        lines = [_line(change) for change in changes]
        lines += [f"{speed.codec}: encoding {_times(speed.encode)}, decoding {_times(speed.decode)} "
                  f"({speed.points} points)" for speed in self.speeds]
        return "\n".join([*lines, *self.notes])


def compare(earlier: Study, later: Study, *, pairs: Mapping[str, str] | None = None, method: Method = "akima",
            seed: int = 0) -> Comparison:
    """Compare two studies over the clips, metrics and codecs that both have.

    `pairs` gives earlier to later names of codecs, for weights that changed their name; by default names are equal.
    """
    pairs = pairs or {codec: codec for codec in earlier.codecs if codec in later.codecs}
    clips, notes = _common_clips(earlier, later)
    notes += _unpaired(earlier, later, pairs)
    changes = [_change(earlier, later, codec, other, metric, clips, method, seed)
               for codec, other in pairs.items() for metric in earlier.metrics if metric in later.metrics and clips]
    speeds = []
    if note := _untimed(earlier, later):
        notes.append(note)
    else:
        speeds = [speed for codec, other in pairs.items() if (speed := _speed(earlier, later, codec, other, clips))]
    return Comparison(tuple(changes), tuple(speeds), tuple(notes))


def _change(earlier: Study, later: Study, codec: str, other: str, metric: str, clips: Sequence[str], method: Method,
            seed: int) -> Change:
    before = {clip: curve for clip, curve in earlier.curves(codec, metric).items() if clip in clips}
    after = {clip: curve for clip, curve in later.curves(other, metric).items() if clip in clips}
    figures = compare_curves(before, after, earlier.metric(metric)["better"], method, seed)
    equal = bool(before) and before.keys() == after.keys() and all(
        np.array_equal(before[clip].rate, after[clip].rate) and np.array_equal(before[clip].quality, after[clip].quality)
        for clip in before)
    return Change(codec, other, metric, "same" if equal else _verdict(figures["rate"]), **figures)


def _verdict(rate: Mapping[str, Any] | None) -> Verdict:
    if rate is None:
        return "no figure"
    low, high = (rate["mean"] if rate[end] is None else rate[end] for end in ("low", "high"))
    if max(abs(low), abs(high)) <= TOLERANCE:
        return "same"
    if low > 0.0 and rate["mean"] > TOLERANCE:
        return "worse"
    return "better" if high < 0.0 and rate["mean"] < -TOLERANCE else "unclear"


def _common_clips(earlier: Study, later: Study) -> tuple[list[str], list[str]]:
    """Clips with the same content and number of frames, and a sentence about each of the others."""
    first, second = ({clip["name"]: clip for clip in study.data["clips"]} for study in (earlier, later))
    same, notes = [], []
    for name, clip in first.items():
        if name not in second:
            notes.append(f"Clip '{name}' is only in the earlier report.")
        elif clip.get("sha256") != second[name].get("sha256") or clip["frames"] != second[name]["frames"]:
            notes.append(f"Clip '{name}' is not the same in both reports, and is left out.")
        else:
            same.append(name)
    notes += [f"Clip '{name}' is only in the later report." for name in second if name not in first]
    return same, notes


def _unpaired(earlier: Study, later: Study, pairs: Mapping[str, str]) -> list[str]:
    return [f"Codec '{codec}' is only in the {which} report." for which, study, paired in (
        ("earlier", earlier, set(pairs)), ("later", later, set(pairs.values())))
        for codec in study.codecs if codec not in paired]


def _untimed(earlier: Study, later: Study) -> str | None:
    """Why times do not compare."""
    before, after = (study.data["conditions"] for study in (earlier, later))
    if not (before.get("timed") and after.get("timed")):
        return "Speed is not compared: times were not measured in both reports."
    if _place(before) != _place(after):
        return "Speed is not compared: the reports are of different machines or numbers of threads."
    return None


def _place(conditions: Mapping[str, Any]) -> tuple[Any, Any]:
    return (conditions.get("machine") or {}).get("cpu"), conditions.get("threads")


def _speed(earlier: Study, later: Study, codec: str, other: str, clips: Sequence[str]) -> Speed | None:
    ratios = []
    for clip in clips:
        before = {point.get("crf"): point for point in earlier.points(codec, clip)}
        for point in later.points(other, clip):
            match = before.get(point.get("crf"))
            if match and all(_seconds(side) for side in (match, point)):
                ratios.append([point[key] / match[key] for key in ("encode_s", "decode_s")])
    if not ratios:
        return None
    encode, decode = np.exp(np.mean(np.log(ratios), axis=0))
    return Speed(codec, float(encode), float(decode), len(ratios))


def _seconds(point: Point) -> bool:
    return bool(point.get("encode_s")) and bool(point.get("decode_s"))


def _line(change: Change) -> str:
    name = change.codec if change.codec == change.later else f"{change.codec} -> {change.later}"
    if change.rate is None:
        reasons = sorted({str(clip["why"]) for clip in change.clips.values() if clip["why"]})
        return f"no figure  {name}, {change.metric}: {reasons[0] if reasons else 'no clip has both curves'}"
    rate, clips = change.rate, change.clips
    interval = "" if rate["low"] is None else f" [{rate['low']:+.1f}, {rate['high']:+.1f}]"
    words = f"{change.verdict:<9}  {name}, {change.metric}: {rate['mean']:+.1f} % bits{interval} over {rate['clips']} clips"
    ranked = sorted((clip["rate"], label) for label, clip in clips.items() if clip["rate"] is not None)
    if change.verdict == "same" or len(ranked) < 2:
        return words
    return f"{words}; best {ranked[0][1]} {ranked[0][0]:+.1f} %, worst {ranked[-1][1]} {ranked[-1][0]:+.1f} %"


def _times(ratio: float) -> str:
    if ratio >= FASTER:
        return f"{ratio:.2f} times slower"
    return f"{1 / ratio:.2f} times faster" if ratio <= 1 / FASTER else "as fast"
