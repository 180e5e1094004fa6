"""Choosing the quality of each GOP so that the file meets its target.

A target is met in two steps. Before anything is written, a sample of the GOPs is coded at a few qualities until the
sample meets the target (`search`). Then every GOP is coded near that quality; what was spent too much or too little
is spread over the GOPs that are left, and the last ones are searched exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from xvcodec.codec.trial import Coded, Trial
from xvcodec.options import DEFAULT_CRF, MAX_CRF

TOLERANCE = 0.01
"""Relative error of the size (or dB / 10) at which a search is content."""
TRIES, ROUNDS = 7, 2
USUAL_SLOPE = -0.075
"""Change of the logarithm of the size per crf, before anything is known."""
USUAL_RATE, COARSEST_START = 0.14, 55.0
"""Bits a pixel at DEFAULT_CRF, before anything is known, and where a search begins at most."""
REACH = 8.0
"""How far, in crf, a GOP may leave the quality found for the sample."""


def start_of(bpp: float) -> float:
    """A quality to begin a search with. Motion is priced for the quality that is tried first, so it had better be near."""
    return min(COARSEST_START, max(0.0, DEFAULT_CRF + math.log(bpp / USUAL_RATE) / USUAL_SLOPE))


def search(measure: Callable[[float], float], target: float, start: float, slope: float,
           tolerance: float, limit: bool = False) -> tuple[float, float]:
    """Find the quality where `measure` (falling in crf) meets `target`: false position inside a shrinking bracket.

    Where `measure` jumps it may not be met; then the nearest is taken.

    Args:
        measure: value at a quality, e.g. log of bytes, or dB.
        target: wanted value.
        start, slope: first guess and first derivative.
        tolerance: absolute error that is good enough.
        limit: whether a value further above the target is taken only if all are.
    Returns:
        quality in [0, 63] and the slope seen last.
    """
    low, high = (0.0, math.inf), (MAX_CRF, -math.inf)  # (quality, value): value above target, value below
    quality = best = min(MAX_CRF, max(0.0, start))
    closest = (True, math.inf)
    for _ in range(TRIES):
        value = measure(quality)
        off = (limit and value > target + tolerance, abs(value - target))
        if off < closest:
            closest, best = off, quality
        if closest[1] <= tolerance or low[0] >= high[0] - 1 / 256:
            break
        if value > target:
            low = (quality, value)
        else:
            high = (quality, value)
        if math.isfinite(low[1]) and math.isfinite(high[1]):
            slope = min(-1e-4, (high[1] - low[1]) / (high[0] - low[0]))
            middle = low[0] + (target - low[1]) / slope
            width = high[0] - low[0]
            quality = min(high[0] - 0.05 * width, max(low[0] + 0.05 * width, middle))
        else:
            quality = min(MAX_CRF, max(0.0, quality + 1.15 * (target - value) / slope))
            if quality in (low[0], high[0]) and math.isfinite(low[1] if quality == low[0] else high[1]):
                break  # the end of the range is not enough
    return best, slope


def search_renewed(sample: Sequence[Trial], measure: Callable[[float], float], target: float, start: float, slope: float,
                   tolerance: float, limit: bool = False) -> tuple[float, float]:
    """`search`, and again where GOPs of the sample had been analysed for qualities too far from the one that came out."""
    quality, slope = search(measure, target, start, slope, tolerance, limit)
    for _ in range(ROUNDS):
        renewed = sum(trial.renew(quality) for trial in sample)
        if not renewed:
            break
        quality, slope = search(measure, target, quality, slope, tolerance, limit)
    return quality, slope


class RateControl(Protocol):
    """Gives every GOP its quality, in order."""

    def code(self, trial: Trial) -> Coded:
        """Code the next GOP."""


class ConstantQuality:
    """`-crf`."""

    def __init__(self, quality: float) -> None:
        self.quality = quality

    def code(self, trial: Trial) -> Coded:
        """Code the next GOP at the one quality."""
        return trial.code(self.quality)


@dataclass
class Found:
    """What the sample said."""

    quality: float
    slope: float
    bytes_per_frame: float


class ConstantPsnr:
    """`--target-psnr`: the quality at which the sample has that PSNR, for the whole file."""

    def __init__(self, decibel: float, sample: Sequence[Trial]) -> None:
        def measure(quality: float) -> float:
            pairs = [(trial.psnr(trial.code(quality)), len(trial.frames)) for trial in sample]
            return sum(psnr * count for psnr, count in pairs) / sum(count for _, count in pairs)

        self.quality, _ = search_renewed(sample, measure, decibel, DEFAULT_CRF, -0.25, 0.02)

    def code(self, trial: Trial) -> Coded:
        """Code the next GOP at the quality found."""
        return trial.code(self.quality)


class TargetSize:
    """`--bpp`, `-b:v`, `--target-size`: meet a number of bytes.

    Args of the constructor:
        budget: bytes for all coded GOPs of the file.
        frames: frames of the whole file, as far as known; further ones get as many bytes each.
        overhead: container bytes of one GOP outside its chunk.
        sample: GOPs to search on, coded together at one quality.
        start: quality that is tried first, see `start_of`.
    """

    def __init__(self, budget: float, frames: int, overhead: int, sample: Sequence[Trial],
                 start: float = DEFAULT_CRF) -> None:
        self.left, self.frames_left, self.overhead = budget, frames, overhead
        self.per_frame = budget / frames
        sampled = sum(len(trial.frames) for trial in sample)
        wanted = math.log(max(1.0, budget / frames * sampled))

        def measure(quality: float) -> float:
            self.sizes = sum(trial.code(quality).size + overhead for trial in sample)
            return math.log(self.sizes)

        quality, slope = search_renewed(sample, measure, wanted, start, USUAL_SLOPE, TOLERANCE, limit=True)
        self.found = Found(quality, min(-0.01, slope), measure(quality) and self.sizes / sampled)

    def code(self, trial: Trial) -> Coded:
        """Code the next GOP near the quality of the sample, steering towards the budget that is left."""
        frames = len(trial.frames)
        beyond = max(0, frames - self.frames_left)  # a pipe does not tell its length
        self.left, self.frames_left = self.left + beyond * self.per_frame, self.frames_left + beyond
        share = max(1.0, self.left) / (self.frames_left * self.found.bytes_per_frame)
        quality = self.found.quality + math.log(share) / self.found.slope
        quality = min(self.found.quality + REACH, max(self.found.quality - REACH, quality))
        coded = trial.code(min(MAX_CRF, max(0.0, quality)))
        if self.frames_left - frames <= frames // 2:  # the last GOPs pay what is left
            coded = self._settle(trial, coded, self.left * frames / self.frames_left)
        self.left -= coded.size + self.overhead
        self.frames_left -= frames
        return coded

    def _settle(self, trial: Trial, coded: Coded, size: float) -> Coded:
        wanted = math.log(max(1.0, size))
        if abs(math.log(coded.size + self.overhead) - wanted) < 0.02:
            return coded
        low, high = self.found.quality - REACH, self.found.quality + REACH

        def measure(quality: float) -> float:
            return math.log(trial.code(min(high, max(low, quality))).size + self.overhead)

        quality, _ = search(measure, wanted, coded.quality, self.found.slope, 0.02, limit=True)
        return trial.code(min(high, max(low, quality)))
