"""results.json and results.csv: put together, written, read. docs/rd.md describes both."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import xvcodec
from xvcodec.errors import InputError, UsageError

from .bd import Curve, Floats, Method
from .clips import Clip
from .codecs import Codec
from .external import MAX_BYTES, Added, read
from .options import Options
from .store import Record, Task, write
from .view import Study
from .work import Worker, processor

if TYPE_CHECKING:
    from .schedule import Schedule

SCHEMA = "xvc-rd/1"
FILE = "results.json"
_COLUMNS = ("clip", "codec", "crf", "bytes", "bpp", "kbps", "encode_s", "decode_s", "threads")


class Points(Curve):
    """A curve that falls into its two arrays: `bpp, psnr = results.curve(...)`."""

    def __iter__(self) -> Iterator[Floats]:
        return iter((self.rate, self.quality))


class Results(Study):
    """A study's figures as objects and arrays (`points`, `curve`, `mean_curve`, `bd`), and files in and out."""

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a report's folder, or a results.json. Raises InputError for what is neither."""
        path = Path(path)
        file = path / FILE if path.is_dir() else path
        try:
            if file.stat().st_size > 4 * MAX_BYTES:
                raise InputError(f"'{file}' is too large for a report.")
            data = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"There is no report in '{path}' ({(error.strerror or 'unreadable').lower()}).") from None
        except (ValueError, RecursionError):
            raise InputError(f"'{file}' is damaged: it is not JSON.") from None
        return cls(_checked(data, file))

    def curve(self, codec: str, clip: str, metric: str) -> Points:
        """Bits a pixel [N], rising, and the metric's values [N]."""
        found = super().curve(codec, clip, metric)
        return Points(found.rate, found.quality)

    def save(self, folder: str | Path) -> None:
        """Write results.json and results.csv. Raises OutputError."""
        text = json.dumps(self.data, indent=1, ensure_ascii=False, allow_nan=False)
        write(Path(folder) / FILE, text + "\n")
        write(Path(folder) / "results.csv", self.csv())

    def csv(self) -> str:
        """A line a point: rates, times, and a column a metric."""
        sheet = io.StringIO()
        writer = csv.writer(sheet, lineterminator="\n")
        writer.writerow([*_COLUMNS, *self.metrics])
        for point in self.data["points"]:
            values = [point.get(column) for column in _COLUMNS] + [point["metrics"].get(name) for name in self.metrics]
            writer.writerow([repr(value) if isinstance(value, float) else value for value in values])
        return sheet.getvalue()

    def read(self, file: str | Path) -> Added:
        """What a file of another tool brings to this report, for `changed`. Raises InputError."""
        return read(Path(file), self.data["clips"], self.metrics, self.codecs)

    def changed(self, added: Sequence[Added] = (), reference: str | None = None, method: Method | None = None) -> Self:
        """The same with more points, and with BD figures against another reference or by another method."""
        data = dict(self.data)
        for other in added:
            for part in ("codecs", "points", "notes"):
                data[part] = [*data.get(part, []), *getattr(other, part)]
        study = Study(data)
        reference = reference or self.reference
        if reference is not None and reference not in study.codecs:
            raise UsageError(f"--reference '{reference}' is none of the codecs: {', '.join(study.codecs)}.")
        return type(self)(data | {"bd": study.bd(reference, method or self.method)})


def assemble(options: Options, clips: Sequence[Clip], codecs: Sequence[Codec], worker: Worker, schedule: Schedule,
             ladders: Mapping[str, Sequence[float]], added: Sequence[Added]) -> Results:
    """Everything that a run has found out."""
    names = [metric.name for metric in worker.metrics if metric.name in options.metrics]
    tasks = [Task(clip, codec, setting) for codec in codecs for clip in clips for setting in ladders[codec.name]]
    made = [(task, schedule.records[task.codec.name, task.setting, task.clip.name]) for task in tasks]
    data: dict[str, Any] = {
        "schema": SCHEMA, "created": datetime.now(UTC).isoformat(timespec="seconds"), "command": options.command,
        "xvc": xvcodec.__version__,
        "conditions": {"key_interval": options.gop, "frames": options.frames, "threads": options.threads,
                       "timed": all(record.encode_s is not None for _, record in made), "captions": options.captions,
                       "range": None if options.crf else list(options.quality), "machine": _machine()},
        "clips": [entry(clip, options.output) for clip in clips],
        "codecs": [{"name": codec.name, "kind": codec.kind, "version": codec.version, "setting": codec.setting}
                   for codec in codecs],
        "metrics": [{"name": metric.name, "unit": metric.unit, "better": metric.better, "definition": metric.definition}
                    for metric in worker.metrics if metric.name in names],
        "missing": [{"name": missing.name, "reason": missing.reason} for missing in worker.missing] + _refused(made, names),
        "points": [_point(task, record, names, worker) for task, record in made],
        "notes": [*([schedule.note] if schedule.note else []), *_moved(record for _, record in made)],
        "bd": [],
    }
    return Results(data).changed(added, options.reference, "pchip" if options.method == "pchip" else "akima")


def entry(clip: Clip, output: Path) -> dict[str, Any]:
    """What results.json says about a clip; its path is relative to the report."""
    fps = round(clip.frames / clip.seconds, 3) if clip.seconds > 0 else 25.0
    try:
        path = os.path.relpath(clip.path, output)
    except ValueError:  # on another drive
        path = os.path.abspath(clip.path)
    return {"name": clip.name, "width": clip.info.width, "height": clip.info.height, "frames": clip.frames, "fps": fps,
            "bit_depth": clip.info.bit_depth, "sha256": clip.sha256, "kind": clip.kind, "path": path}


def _point(task: Task, record: Record, names: Sequence[str], worker: Worker) -> dict[str, Any]:
    clip, found = task.clip, {name: record.values[name].measured for name in names}
    measured = {name: value for name, value in found.items() if value}
    fps, stream = entry(clip, Path())["fps"], worker.store.stream(task)
    return {"clip": clip.name, "codec": task.codec.name, "crf": task.setting, "bytes": record.bytes,
            "overhead_bytes": record.overhead, "bpp": 8 * record.bytes / clip.pixels,
            "kbps": 8 * record.bytes * fps / clip.frames / 1000, "encode_s": _short(record.encode_s),
            "decode_s": _short(record.decode_s), "threads": record.threads,
            "metrics": {name: value.clip for name, value in measured.items()},
            "frames": {name: [None] * value.first + [_short(number) for number in value.frames]
                       for name, value in measured.items()},
            "stream": f"streams/{stream.name}" if stream.exists() else None}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _refused(made: Sequence[tuple[Task, Record]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Clips that a metric could not measure, each once."""
    rows = {(task.clip.name, name): record.values[name].why for task, record in made for name in names
            if record.values[name].measured is None}
    return [{"name": name, "clip": clip, "reason": why} for (clip, name), why in rows.items()]


def _moved(records: Iterable[Record]) -> list[str]:
    machines = sorted({record.machine for record in records if record.encode_s is not None})
    return [] if len(machines) < 2 else [f"Times were measured on different processors: {', '.join(machines)}."]


def _machine() -> dict[str, Any]:
    """What the figures of speed depend on."""
    import av

    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = ""
    return {"cpu": processor(), "cores": os.cpu_count(), "python": platform.python_version(), "torch": torch,
            "ffmpeg": av.ffmpeg_version_info}


def _checked(data: Any, file: Path) -> dict[str, Any]:
    """`data`, when plots and tables can rely on it."""
    if not isinstance(data, dict) or not str(data.get("schema", "")).startswith("xvc-rd/"):
        raise InputError(f"'{file}' is not a report of `xvc rd`.")
    if data["schema"] != SCHEMA:
        raise InputError(f"'{file}' has the schema {str(data['schema'])[:20]}, but this version of xvc reads {SCHEMA}.")
    try:
        names = {part: {str(item["name"]) for item in data[part]} for part in ("clips", "codecs", "metrics")}
        sound = isinstance(data["conditions"], dict) and all(
            point["clip"] in names["clips"] and point["codec"] in names["codecs"]
            and all(math.isfinite(value) for value in [point["bpp"], *point["metrics"].values()]) and point["bpp"] > 0
            for point in data["points"])
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise InputError(f"'{file}' is damaged: a part of the report is missing or wrong.")
    return data
