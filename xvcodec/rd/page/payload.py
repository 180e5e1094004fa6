"""What the page's script reads: everything but the pictures, as one plain object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xvcodec.rd.bd import GOOD_OVERLAP, LEVEL, METHODS, MIN_OVERLAP, MIN_POINTS, RESAMPLES, check_method
from xvcodec.rd.plots import metric_title
from xvcodec.rd.style import styles
from xvcodec.rd.view import Study

from .pictures import Gallery

_KEPT = ("clip", "codec", "crf", "bytes", "bpp", "kbps", "encode_s", "decode_s", "threads", "metrics")


def payload(study: Study, made: Sequence[Gallery], unseen: Sequence[str], seed: int) -> dict[str, Any]:
    """Points, means, BD figures for every reference and both methods, what the viewer holds and (`unseen`) what it lacks."""
    data = study.data
    look = styles(data["codecs"])
    return {
        "head": {key: data.get(key) for key in ("created", "command", "xvc", "conditions")},
        "clips": list(data["clips"]),
        "codecs": [codec | {"label": look[codec["name"]].label, "light": look[codec["name"]].light,
                            "dark": look[codec["name"]].dark, "marker": look[codec["name"]].marker,
                            "own": look[codec["name"]].own} for codec in data["codecs"]],
        "metrics": [metric | {"title": metric_title(metric["name"])} for metric in data["metrics"]],
        "points": [{key: point.get(key) for key in _KEPT} for codec in study.codecs for clip in study.clips
                   for point in study.points(codec, clip)],
        "means": {metric: {codec: [{"crf": point.crf, "bpp": point.bpp, "kbps": point.kbps, "value": point.values[metric]}
                                   for point in study.mean_curve(codec, metric)] for codec in study.codecs}
                  for metric in study.metrics},
        "shared": {metric: study.shared_clips(metric) for metric in study.metrics},
        "bd": [row for reference in study.codecs for method in METHODS
               for row in study.bd(reference, check_method(method), seed)],
        "rules": {"reference": study.reference, "method": study.method, "min_overlap": MIN_OVERLAP,
                  "good_overlap": GOOD_OVERLAP, "min_points": MIN_POINTS, "level": LEVEL, "resamples": RESAMPLES,
                  "seed": seed},
        "viewer": [_viewer(study, gallery) for gallery in made],
        "notes": study.notes,
        "absences": study.absences,
        "unseen": list(unseen),
    }


def _viewer(study: Study, gallery: Gallery) -> dict[str, Any]:
    """A clip's levels with the figures that stand below the pictures, and which pictures there are."""
    levels = [{"spread": level.spread, "points": {codec: _caption(point, gallery) for codec, point in level.points.items()
                                                  if (number, codec, 0) in gallery.pictures}}
              for number, level in enumerate(gallery.levels)]
    return {"clip": gallery.clip, "numbers": list(gallery.numbers), "levels": levels,
            "source": (None, None, 0) in gallery.pictures}


def _caption(point: Any, gallery: Gallery) -> dict[str, Any]:
    frames = {metric: [values[number] if number < len(values) else None for number in gallery.numbers]
              for metric, values in (point.get("frames") or {}).items()}
    return {key: point.get(key) for key in ("crf", "bpp", "kbps", "metrics")} | {"frames": frames}
