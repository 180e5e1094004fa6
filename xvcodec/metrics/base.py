"""What a metric is: it starts a meter for a clip, the meter takes the frames in pairs, and says what it measured."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from xvcodec.codec.measure import PERFECT
from xvcodec.errors import InputError, XvcError
from xvcodec.media.types import Frame, VideoInfo


class Unmeasurable(XvcError):
    """A clip that a metric is not defined for: pictures too small, too few frames, or the tool behind it failed."""


class Absent(XvcError):
    """A metric that cannot run here; the sentence says what to install or to give."""


@dataclass(frozen=True)
class Measured:
    """What a metric found in one clip; every number is finite."""

    frames: tuple[float, ...]  # one value a frame, from frame `first` on
    clip: float  # the frames pooled; docs/metrics.md says how for each metric
    first: int = 0  # number of the frame that frames[0] belongs to


class Meter(Protocol):
    """One clip being measured. Memory does not grow with its length."""

    def add(self, source: Frame, decoded: Frame) -> None:
        """Take the next frame of both sides.

        Args:
            source, decoded: planes as the clip's VideoInfo has them; only the planes count, not the timestamps.
        Raises:
            InputError: the pictures do not have the size or the bit depth of the clip.
            Unmeasurable: the tool behind the metric failed.
        """

    def finish(self) -> Measured:
        """Pool the frames. The meter takes no more of them.

        Raises:
            Unmeasurable: there were too few frames, or the tool behind the metric failed.
        """


class Metric(Protocol):
    """A way to compare a decoded clip with its source. Metrics keep no state between clips."""

    @property
    def name(self) -> str:
        """As it is written on the command line."""

    @property
    def unit(self) -> str:
        """Of its values; empty for a plain number."""

    @property
    def better(self) -> Literal["higher", "lower"]:
        """Which way is up."""

    @property
    def definition(self) -> str:
        """One sentence."""

    def start(self, info: VideoInfo) -> Meter:
        """Begin a clip.

        Args:
            info: of the source. It says how the planes of both sides are understood: what the decoded side says
                about its colours does not count.
        Raises:
            Unmeasurable: pictures of this size cannot be measured.
        """


class FrameMetric(ABC):
    """A metric whose frames are measured one pair at a time, each without the others; the clip is their mean."""

    name: str
    unit: str = ""
    better: Literal["higher", "lower"] = "higher"
    definition: str
    least: int = 1  # samples that a side of the picture must have

    def start(self, info: VideoInfo) -> Meter:
        """Begin a clip."""
        check_size(self.name, info, self.least)
        return _FrameMeter(self, info)

    @abstractmethod
    def compare(self, source: Frame, decoded: Frame, info: VideoInfo) -> float:
        """The value of one pair of frames."""


class _FrameMeter:
    """The values so far."""

    def __init__(self, metric: FrameMetric, info: VideoInfo) -> None:
        self._metric, self._info = metric, info
        self._values: list[float] = []

    def add(self, source: Frame, decoded: Frame) -> None:
        """Measure the next pair."""
        check_pair(source, decoded, self._info)
        self._values.append(self._metric.compare(source, decoded, self._info))

    def finish(self) -> Measured:
        """The frames and their mean."""
        return pool(self._metric.name, self._values)


def pool(name: str, values: list[float], first: int = 0) -> Measured:
    """`values` and their mean.

    Raises:
        Unmeasurable: there are none, or one is not a number.
    """
    if not values:
        raise Unmeasurable(f"{name} needs a clip of at least {first + 1} frame{'s' if first else ''}.")
    if not all(map(math.isfinite, values)):
        raise Unmeasurable(f"{name} has no finite value for some frames of this clip.")
    return Measured(tuple(values), float(np.mean(values)), first)


def decibels(error: float, peak: float) -> float:
    """PSNR in dB of a mean squared error; `PERFECT` (100) at most, which equal pictures get."""
    return PERFECT if error <= 0.0 else min(PERFECT, 10.0 * math.log10(peak * peak / error))


def check_pair(source: Frame, decoded: Frame, info: VideoInfo) -> None:
    """Raise InputError unless both frames have the size and the bit depth of `info`."""
    luma, chroma = (info.height, info.width), info.chroma_size
    dtype = np.dtype(np.uint16 if info.bit_depth == 10 else np.uint8)
    for side, frame in (("source", source), ("decoded", decoded)):
        if [plane.shape for plane in frame.planes] != [luma, chroma, chroma]:
            raise InputError(f"The {side} picture is {frame.y.shape[1]}x{frame.y.shape[0]}, but the clip is "
                             f"{info.width}x{info.height}: only pictures of one size can be compared.")
        if any(plane.dtype != dtype for plane in frame.planes):
            raise InputError(f"The {side} picture does not have the {info.bit_depth} bits a sample of the clip: "
                             "only pictures of one depth can be compared.")


def check_size(name: str, info: VideoInfo, least: int) -> None:
    """Raise Unmeasurable when a side of the picture is shorter than `least` samples."""
    if min(info.width, info.height) < least:
        raise Unmeasurable(f"{name} needs pictures of at least {least}x{least} samples; this clip is "
                           f"{info.width}x{info.height}.")
