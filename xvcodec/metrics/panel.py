"""Several metrics over one clip in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xvcodec.media.types import Frame, VideoInfo

from .base import Measured, Meter, Metric, Unmeasurable
from .registry import Missing


def measure(metrics: Sequence[Metric], info: VideoInfo,
            pairs: Iterable[tuple[Frame, Frame]]) -> tuple[dict[str, Measured], list[Missing]]:
    """Run every metric over (source, decoded) frames, which are taken once, in order.

    A metric that this clip cannot be measured with (too small, one frame only) stops alone, and the others go on.

    Args:
        metrics: from `resolve`.
        info: of the source.
        pairs: frames of both sides; give `zip(a, b, strict=True)` so that a lost frame is noticed.
    Returns:
        what was measured, by name, and the metrics that stopped, with the reason.
    Raises:
        InputError: pictures of different sizes or depths.
    """
    meters: dict[str, Meter] = {}
    stopped: dict[str, str] = {}
    for metric in metrics:
        try:
            meters[metric.name] = metric.start(info)
        except Unmeasurable as reason:
            stopped[metric.name] = str(reason)
    for source, decoded in pairs:
        for name in list(meters):
            try:
                meters[name].add(source, decoded)
            except Unmeasurable as reason:
                stopped[name] = str(reason)
                del meters[name]
    measured: dict[str, Measured] = {}
    for name, meter in meters.items():
        try:
            measured[name] = meter.finish()
        except Unmeasurable as reason:
            stopped[name] = str(reason)
    return measured, [Missing(metric.name, stopped[metric.name]) for metric in metrics if metric.name in stopped]
