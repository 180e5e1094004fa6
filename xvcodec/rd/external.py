"""Results of other tools: rows of a .csv or .json, or another report's results.json, brought into this study.

A row names `clip` and `codec`, gives the rate as `bpp`, `bytes` or `kbps`, and has metrics under their names; `crf`,
`encode_s`, `decode_s` and `threads` may be there. docs/rd.md shows both forms.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xvcodec.errors import InputError
from xvcodec.metrics import NAMES

MAX_BYTES = 64 << 20
_RATES = ("bpp", "bytes", "kbps")
_OPTIONAL = ("crf", "encode_s", "decode_s", "threads")


@dataclass
class Added:
    """What a file brings, as results.json has it, and what was left out of it."""

    codecs: list[dict[str, Any]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(path: Path, clips: Sequence[Mapping[str, Any]], metrics: Collection[str], taken: Collection[str]) -> Added:
    """The points of `path` on these clips, with these metrics, of codecs that are not `taken` by the study itself.

    Args:
        clips: as in results.json.
    Raises:
        InputError: the file cannot be read, a row is wrong, or nothing in it belongs to this study.
    """
    rows, about = _rows(path)
    study, added = {clip["name"]: clip for clip in clips}, Added()
    left: dict[str, None] = {}
    for number, row in enumerate(rows, 1):
        where = f"'{path}', point {number}"
        clip, codec = (str(row.get(key) or "").strip() for key in ("clip", "codec"))
        if not (clip and codec):
            raise InputError(f"{where}: every point names its clip and its codec.")
        if clip not in study:
            left[f"clip '{clip}', which is not in this study"] = None
        elif not _same(about.get(clip), study[clip]):
            left[f"clip '{clip}', which is another file or another number of frames there"] = None
        elif codec in taken:
            left[f"codec '{codec}', which this study runs itself"] = None
        else:
            added.points.append(_point(row, study[clip], codec, metrics, where, left))
    if not added.points:
        raise InputError(f"Nothing in '{path}' belongs to this study: it has clips {', '.join(study)}.")
    names = dict.fromkeys(point["codec"] for point in added.points)
    added.codecs = [{"name": name, "kind": "external", "version": path.name} for name in names]
    added.notes = [f"Left out of '{path.name}': {what}." for what in left]
    return added


def _rows(path: Path) -> tuple[list[dict[str, Any]], dict[str, Mapping[str, Any]]]:
    """The points of a file, and what it says about its clips."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"'{path}' is larger than {MAX_BYTES >> 20} MiB.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' cannot be read ({getattr(error, 'strerror', None) or 'it is not text'}).") from None
    if path.suffix.lower() == ".csv":
        return [dict(row) for row in csv.DictReader(io.StringIO(text))], {}
    try:
        data = json.loads(text)
        if isinstance(data, dict):
            rows, clips = data["points"], {clip["name"]: clip for clip in data.get("clips", [])}
        else:
            rows, clips = data, {}
        return [dict(row) for row in rows], clips
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"'{path}' is neither a list of points nor an object with \"points\".") from None


def _same(there: Mapping[str, Any] | None, here: Mapping[str, Any]) -> bool:
    """Whether a clip is the same, as far as the file says."""
    return there is None or all(there.get(key) in (None, here[key]) for key in ("sha256", "frames"))


def _point(row: Mapping[str, Any], clip: Mapping[str, Any], codec: str, metrics: Collection[str], where: str,
           left: dict[str, None]) -> dict[str, Any]:
    given = {**row, **(row["metrics"] if isinstance(row.get("metrics"), dict) else {})}
    values = {}
    for name in NAMES:
        value = _number(given, name, where)
        if value is not None and name in metrics:
            values[name] = value
        elif value is not None:
            left[f"the values of {name}, which --metric does not ask for"] = None
    if not values:
        raise InputError(f"{where} has no value of {', '.join(metrics)}.")
    rates = {name: value for name in _RATES if (value := _number(given, name, where)) is not None}
    if not rates or min(rates.values()) <= 0.0:
        raise InputError(f"{where} has no rate: give bpp, bytes or kbps, more than 0.")
    samples = clip["width"] * clip["height"] * clip["frames"]
    seconds = clip["frames"] / clip["fps"]
    factor = {"bpp": samples, "bytes": 8, "kbps": 1000 * seconds}
    unit = next(iter(rates))
    bits = factor[unit] * rates[unit]
    more = {name: _number(given, name, where) for name in _OPTIONAL}
    threads = more["threads"]
    return {"clip": clip["name"], "codec": codec, "bytes": round(bits / 8), "bpp": bits / samples,
            "kbps": bits / seconds / 1000, **more, "threads": None if threads is None else int(threads),
            "metrics": values, "frames": {}, "stream": None}


def _number(row: Mapping[str, Any], name: str, where: str) -> float | None:
    """A number, or None where there is none; InputError for what is no finite number."""
    value = row.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where}: {name} is {str(value)[:40]!r}, which is no number.")
    return number
