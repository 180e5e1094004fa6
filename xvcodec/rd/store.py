"""What a study keeps: `points/`, one JSON file each, and `streams/`, the coded files. Nothing in it is ever half written.

A point's name ends in a hash of all that decides about its bytes: the clip's content and frames, codec, options, version
and weights, setting, caption, key-frame interval and threads. Whoever asks for the same again gets what is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from xvc_bitstream import atomic_open

from xvcodec.errors import OutputError
from xvcodec.metrics import Measured, Metric

from .clips import Clip
from .codecs import Codec, Conditions
from .plots import safe_name

SCHEMA = "xvc-rd-point/1"


@dataclass(frozen=True)
class Value:
    """What one metric said; `measured` is None where it could not measure the clip, and `why` says it."""

    definition: str  # of the metric when it was measured: another one is another metric
    measured: Measured | None
    why: str | None = None


@dataclass(frozen=True)
class Record:
    """One finished point."""

    bytes: int
    overhead: int  # of these, bytes of the container
    encode_s: float | None  # None where times were not measured
    decode_s: float | None
    threads: int
    machine: str  # processor that it was measured on
    values: dict[str, Value] = field(default_factory=dict)

    def lacks(self, metrics: Sequence[Metric]) -> list[Metric]:
        """Those that have not been measured yet."""
        return [metric for metric in metrics
                if metric.name not in self.values or self.values[metric.name].definition != metric.definition]

    def with_values(self, values: dict[str, Value]) -> Record:
        """The record with more metrics."""
        return replace(self, values=self.values | values)


@dataclass(frozen=True)
class Task:
    """One point that is wanted."""

    clip: Clip
    codec: Codec
    setting: float


class Store:
    """The folder of a report."""

    def __init__(self, folder: Path, conditions: Conditions) -> None:
        self.folder, self.conditions = folder, conditions

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Keep every other study out of the folder, and make it ready. Raises OutputError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = open(self.folder / ".lock", "w")  # noqa: SIM115 - closed below
        except OSError as error:
            raise self._failure(error) from None
        with file:
            with suppress(ImportError):  # there is no such lock on Windows
                import fcntl

                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise OutputError(f"Another study is being run in '{self.folder}': wait for it, or name another folder "
                                      "with -o.") from None
            self.clean()
            yield

    def clean(self) -> None:
        """Make the folders, and remove what a killed run left; nobody else may be at work."""
        try:
            for part in ("points", "streams"):
                (self.folder / part).mkdir(exist_ok=True)
            for part in (".", "points", "streams", "frames"):
                for rest in (self.folder / part).glob(".*"):
                    if rest.suffix in (".part", ".xvc"):
                        rest.unlink()
        except OSError as error:
            raise self._failure(error) from None

    def identity(self, task: Task) -> dict[str, Any]:
        """Everything that decides about the bytes of a point."""
        clip, codec, conditions = task.clip, task.codec, self.conditions
        return {"clip": clip.sha256, "frames": clip.frames, "codec": codec.name, "version": codec.version,
                "setting": float(task.setting), "key_interval": conditions.gop, "threads": conditions.threads,
                **codec.identity(clip, task.setting, conditions)}

    def stem(self, task: Task) -> str:
        """The name that point and stream share."""
        text = json.dumps(self.identity(task), sort_keys=True)
        label = safe_name(f"{task.clip.name}-{Path(task.codec.name).name}-{task.setting:g}")
        return f"{label[:100]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def stream(self, task: Task) -> Path:
        """Where the coded file lies."""
        return self.folder / "streams" / f"{self.stem(task)}{task.codec.suffix(task.clip)}"

    def find(self, task: Task) -> Record | None:
        """The point, when it is finished and its stream is not spoilt; the stream may be gone, the figures stay true."""
        try:
            kept = json.loads(self._point(task).read_text(encoding="utf-8"))
            if kept["schema"] != SCHEMA or kept["identity"] != self.identity(task):
                return None
            stream = self.stream(task)
            spoilt = stream.exists() and stream.stat().st_size != kept["file_bytes"]
            return None if spoilt else _record(kept["record"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, task: Task, record: Record) -> None:
        """Keep a point; its stream is there already. Raises OutputError."""
        kept = {"schema": SCHEMA, "identity": self.identity(task), "file_bytes": self.stream(task).stat().st_size,
                "record": asdict(record)}
        write(self._point(task), json.dumps(kept))

    def _point(self, task: Task) -> Path:
        return self.folder / "points" / f"{self.stem(task)}.json"

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(f"The report cannot be kept in '{self.folder}' ({(error.strerror or str(error)).lower()}).")


def _record(kept: dict[str, Any]) -> Record:
    """A record as `save` wrote it. Raises KeyError, TypeError or ValueError for anything else."""
    values = {}
    for name, value in kept.pop("values").items():
        found = value["measured"]
        measured = found and Measured(tuple(map(float, found["frames"])), float(found["clip"]), int(found["first"]))
        values[name] = Value(value["definition"], measured or None, value["why"])
    return Record(values=values, **kept)


def write(path: Path, text: str) -> None:
    """Write a text file, completely or not at all. Raises OutputError."""
    try:
        with atomic_open(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise OutputError(f"'{path}' cannot be written ({(error.strerror or str(error)).lower()}).") from None
