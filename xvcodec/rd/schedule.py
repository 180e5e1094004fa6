"""The points of a study in their order: ladders are found by trials, trials are points, and somebody is told how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from .clips import Clip
from .codecs import Codec
from .ladder import Plan, plan
from .options import Options
from .pool import Pool, in_turn
from .store import Record, Task
from .work import Worker

DRIVER = "psnr"
"""The metric that ladders are found by; it is always measured."""


@dataclass(frozen=True)
class Progress:
    """Where a study is."""

    done: int  # points
    total: int  # points, as far as can be told before the ladders are found
    task: Task
    record: Record | None  # None: this point is being begun
    made: bool  # in this run; else it was there
    elapsed: float  # seconds
    eta: float | None  # seconds


Report = Callable[[Progress], None]


class Schedule:
    """Finishes points, and keeps the time."""

    def __init__(self, options: Options, codecs: Sequence[Codec], clips: Sequence[Clip], worker: Worker,
                 report: Report | None) -> None:
        self.records: dict[tuple[str, float, str], Record] = {}  # by codec, setting, clip
        self._options, self._codecs, self._clips, self._worker = options, codecs, clips, worker
        self._report, self._began = report, time.monotonic()
        self._spent: dict[str, list[float]] = {}  # seconds a pixel by codec, of points made now
        self._total: dict[str, int] = {}  # settings by codec, as far as can be told
        self._pool: Pool | None = None
        self._finished = False
        self.note: str | None = None  # what is to be known about the ladders

    def ladders(self) -> dict[str, list[float]]:
        """Run all points; returns the settings that make up each codec's ladder."""
        known: dict[str, dict[float, float]] = {codec.name: {} for codec in self._codecs}
        while (step := self._plan(known)).wanted:
            self._total = dict(step.expected)
            tasks = [Task(clip, codec, setting) for codec in self._codecs for setting in step.wanted.get(codec.name, ())
                     for clip in self._clips]
            self._run(tasks)
            for name, settings in step.wanted.items():
                known[name] |= {setting: self._quality(name, setting) for setting in settings}
        self._finished = True
        self.note = step.note
        return dict(step.chosen)

    def _plan(self, known: Mapping[str, Mapping[float, float]]) -> Plan:
        fixed = {codec.name: codec.fixed or self._options.crf for codec in self._codecs}
        free = {codec.name: codec.scale() for codec in self._codecs if not fixed[codec.name]}
        found = plan(free, known, self._options.points, self._options.quality)
        given = {name: list(settings) for name, settings in fixed.items() if settings}
        left = {name: wanted for name, settings in given.items()
                if (wanted := [setting for setting in settings if setting not in known[name]])}
        expected = {name: len(settings) for name, settings in given.items()}
        return Plan({**found.wanted, **left}, {**found.chosen, **given}, {**found.expected, **expected}, found.note)

    def _quality(self, codec: str, setting: float) -> float:
        values = [self.records[codec, setting, clip.name].values[DRIVER].measured for clip in self._clips]
        return fmean(value.clip for value in values if value)

    def _run(self, tasks: Sequence[Task]) -> None:
        ready: Iterable[tuple[Task, Record]]
        if self._options.jobs == 1:
            ready = in_turn(self._worker, tasks, self._tell)
        else:
            if self._pool is None:
                names = tuple(metric.name for metric in self._worker.metrics)
                self._pool = Pool(self._options.jobs, self._worker.store, names, self._options.squeezenet)
            ready = self._pool.finish(tasks)
        there = {self._worker.store.stem(task) for task in tasks if self._worker.store.find(task)}
        last = time.monotonic()
        for task, record in ready:
            self.records[task.codec.name, task.setting, task.clip.name] = record
            now = time.monotonic()
            made = self._worker.store.stem(task) not in there
            if made:
                self._spent.setdefault(task.codec.name, []).append((now - last) / task.clip.pixels)
            last = now
            self._tell(task, record, made)

    def _tell(self, task: Task, record: Record | None = None, made: bool = True) -> None:
        if self._report is None:
            return
        total = sum(self._total.values()) * len(self._clips)
        eta = self._eta()
        self._report(Progress(len(self.records), total, task, record, made, time.monotonic() - self._began, eta))

    def _eta(self) -> float | None:
        """Seconds to go, from what the points of each codec took so far in this run."""
        if not self._spent:
            return None
        usual = fmean(rate for rates in self._spent.values() for rate in rates)
        pixels = {clip.name: clip.pixels for clip in self._clips}
        left = 0.0
        for codec in self._codecs:
            done = sum(pixels[clip] for name, _, clip in self.records if name == codec.name)
            rate = fmean(self._spent.get(codec.name, [usual]))
            left += rate * max(0, self._total.get(codec.name, 0) * sum(pixels.values()) - done)
        return left

    def close(self) -> None:
        """End the processes; what they left half done goes."""
        if self._pool is not None:
            self._pool.close(self._finished)
            self._pool = None
            self._worker.store.clean()
