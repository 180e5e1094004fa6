"""Bjøntegaard deltas between two rate-distortion curves, with their overlap, or the reason why there is no figure.

BD-rate is the mean difference of log rate over the qualities that both curves reach, in percent: negative means that the
codec needs fewer bits than the reference for the same quality. BD-quality is the mean difference of quality over the
(log) rates that both reach, in the metric's own unit, codec minus reference. The curves between the points are Akima or
PCHIP interpolants over log10 of the rate, integrated by the `bjontegaard` library.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from xvcodec.errors import UsageError, XvcError

Method = Literal["akima", "pchip"]
METHODS: tuple[str, ...] = get_args(Method)
MIN_POINTS = 4
"""A cubic needs as many; fewer are refused."""
MIN_OVERLAP = 1 / 3
"""The least share of the whole range that both curves cover: two equally long curves that share half of their lengths."""
GOOD_OVERLAP = 0.75
"""What the authors of the library ask for; figures below are marked in tables."""
LEVEL = 0.95
RESAMPLES = 10_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Measured points of one codec on one clip: `rate` [N] > 0 in any unit, `quality` [N] in the metric's unit."""

    rate: Floats
    quality: Floats

    @staticmethod
    def of(rate: Sequence[float] | Floats, quality: Sequence[float] | Floats) -> Curve:
        """The points in order of rate; a point that was measured twice counts once."""
        pairs = sorted(set(zip(map(float, rate), map(float, quality), strict=True)))
        return Curve(np.array([rate for rate, _ in pairs]), np.array([quality for _, quality in pairs]))

    def fault(self, better: str) -> str | None:
        """Why no delta can be computed from this curve alone."""
        if len(self.rate) < MIN_POINTS:
            return f"has {len(self.rate) or 'no'} point{'s' * (len(self.rate) != 1)}, but a curve needs {MIN_POINTS}"
        if not (np.isfinite(self.rate).all() and np.isfinite(self.quality).all() and self.rate[0] > 0.0):
            return "has points that are not finite"
        gain = np.diff(self.quality) if better == "higher" else -np.diff(self.quality)
        if (np.diff(self.rate) <= 0.0).any() or (gain <= 0.0).any():
            return "does not gain quality with every bit more: it has no inverse"
        return None


@dataclass(frozen=True)
class Delta:
    """What one codec gains over another on one clip. Each figure is None where its `why` says the reason."""

    rate: float | None  # percent of bits at equal quality
    quality: float | None  # the metric's unit at equal rate
    overlap: float  # 0..1 over qualities, for `rate`
    overlap_rate: float  # 0..1 over log rates, for `quality`
    why: str | None = None  # there is no `rate`
    why_quality: str | None = None  # there is no `quality`


@dataclass(frozen=True)
class Summary:
    """The mean over clips, and where it lies with a probability of `LEVEL` when clips are drawn again."""

    mean: float
    low: float | None  # None below three clips
    high: float | None
    clips: int  # that had a figure


def overlap(first: Floats, second: Floats) -> float:
    """The range that both cover over the range that either covers, 0..1."""
    if not len(first) or not len(second):
        return 0.0
    common = min(first.max(), second.max()) - max(first.min(), second.min())
    whole = max(first.max(), second.max()) - min(first.min(), second.min())
    return float(max(common, 0.0) / whole) if whole > 0.0 else 0.0


def delta(reference: Curve, test: Curve, better: str = "higher", method: Method = "akima",
          min_overlap: float = MIN_OVERLAP) -> Delta:
    """`test` against `reference`. `better` is the metric's good direction, "higher" or "lower"."""
    check_method(method)
    sign = 1.0 if better == "higher" else -1.0
    over_quality = overlap(reference.quality, test.quality)
    over_rate = overlap(*(np.log10(curve.rate[curve.rate > 0.0]) for curve in (reference, test)))
    for who, curve in (("the reference", reference), ("the codec", test)):
        if fault := curve.fault(better):
            why = f"{who} {fault}"
            return Delta(None, None, over_quality, over_rate, why, why)
    base = reference.rate, sign * reference.quality, test.rate, sign * test.quality
    why_rate = _narrow(over_quality, min_overlap, "qualities")
    why_quality = _narrow(over_rate, min_overlap, "rates")
    library = _library()
    options: dict[str, Any] = {"method": method, "require_matching_points": False, "min_overlap": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rate = None if why_rate else float(library.bd_rate(*base, **options))
        quality = None if why_quality else sign * float(library.bd_psnr(*base, **options))
    return Delta(rate, quality, over_quality, over_rate, why_rate, why_quality)


def summarise(values: Iterable[float], seed: int = 0, resamples: int = RESAMPLES) -> Summary | None:
    """Mean and percentile bootstrap over clips; None without values, no interval below three."""
    given = np.array(list(values), np.float64)
    if not len(given):
        return None
    if len(given) < 3:
        return Summary(float(given.mean()), None, None, len(given))
    drawn = np.random.default_rng(seed).integers(0, len(given), (resamples, len(given)))
    low, high = np.quantile(given[drawn].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Summary(float(given.mean()), float(low), float(high), len(given))


def compare_curves(reference: Mapping[str, Curve], test: Mapping[str, Curve], better: str, method: Method = "akima",
                   seed: int = 0) -> dict[str, Any]:
    """`clips`, `rate` and `quality` of one row of a study's `bd`, over the clips that both mappings have.

    A mean that fewer than half of these clips have a figure for would speak of a chosen few: it is None, too.
    """
    deltas = {clip: delta(reference[clip], test[clip], better, method) for clip in reference if clip in test}
    means: dict[str, dict[str, Any] | None] = {}
    for name in ("rate", "quality"):
        values = [value for row in deltas.values() if (value := getattr(row, name)) is not None]
        summary = summarise(values, seed) if 2 * len(values) >= len(deltas) else None
        means[name] = asdict(summary) if summary else None
    return {"clips": {clip: asdict(row) for clip, row in deltas.items()}} | means


def check_method(method: str) -> Method:
    """`method`, or a `UsageError` that names the ones there are."""
    if method not in METHODS:
        raise UsageError(f"--method {method!r} is not one of {', '.join(METHODS)}")
    return cast(Method, method)


def _narrow(covered: float, least: float, what: str) -> str | None:
    if covered > 0.0 and covered >= least:
        return None
    return f"the curves share {100 * covered:.1f} % of their {what}, but a figure needs {100 * least:.1f} %"


def _library() -> Any:
    try:
        import bjontegaard
    except ImportError as error:
        raise XvcError("BD-rates need the library bjontegaard: pip install 'xvc[rd]'.") from error
    return bjontegaard
