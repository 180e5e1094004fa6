"""One point from beginning to end: encode, decode, measure, keep. Runs in the study's process or in one of several."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from xvc_bitstream import BitstreamError

from xvcodec.errors import XvcError
from xvcodec.media.types import Frame
from xvcodec.metrics import Metric, measure, resolve

from .store import Record, Store, Task, Value

KEPT = 512 << 20
"""Bytes of decoded frames that are kept for the metrics; a longer clip is decoded twice, once for the time."""


class Worker:
    """What one process needs for its points."""

    def __init__(self, store: Store, metrics: Sequence[str], squeezenet: str | Path | None) -> None:
        self.store = store
        self.metrics, self.missing = resolve(metrics, squeezenet=squeezenet)
        self._warm: set[str] = set()

    def finish(self, task: Task) -> Record:
        """The point: as it is kept, with the metrics that were missing, or made now.

        Raises:
            XvcError: one sentence that names codec and clip.
        """
        try:
            record, stream = self.store.find(task), self.store.stream(task)
            missing = record.lacks(self.metrics) if record else []
            if record is None or (missing and not stream.exists()):
                return self._code(task)
            if missing:
                record = record.with_values(self._measure(task, missing, task.codec.decode(stream, task.clip)))
                self.store.save(task, record)
            return record
        except (XvcError, BitstreamError, OSError) as error:
            what = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            raise XvcError(f"{task.codec.name} at {task.setting:g} on '{task.clip.name}': {what.rstrip('.')}.") from error

    def _code(self, task: Task) -> Record:
        codec, clip, conditions = task.codec, task.clip, self.store.conditions
        stream = self.store.stream(task)
        with cores(conditions.threads if conditions.timed else None, conditions.threads):
            if conditions.timed and codec.name not in self._warm:
                codec.warm(clip, conditions, stream.parent)
                self._warm.add(codec.name)
            started = time.perf_counter()
            codec.encode(clip, task.setting, stream, conditions)
            encoded = time.perf_counter()
            frames, count = _hold(codec.decode(stream, clip), 3 * clip.pixels <= KEPT)
            decoded = time.perf_counter()
        coded = codec.inspect(stream, conditions)
        if count != clip.frames:
            raise XvcError(f"{count} frames came back instead of {clip.frames}")
        values = self._measure(task, self.metrics, frames or codec.decode(stream, clip))
        times = [encoded - started, decoded - encoded] if conditions.timed else [None, None]
        record = Record(coded.bytes, coded.overhead, times[0], times[1], conditions.threads, processor(), values)
        self.store.save(task, record)
        return record

    def _measure(self, task: Task, metrics: list[Metric], decoded: Iterable[Frame]) -> dict[str, Value]:
        try:
            pairs = zip(task.clip.read(), decoded, strict=True)
            found, stopped = measure(metrics, task.clip.info, pairs)
        except ValueError as error:  # of zip
            raise XvcError("source and decoded clip do not have the same number of frames") from error
        why = {missing.name: missing.reason for missing in stopped}
        return {metric.name: Value(metric.definition, found.get(metric.name), why.get(metric.name)) for metric in metrics}


def _hold(frames: Iterator[Frame], keep: bool) -> tuple[list[Frame], int]:
    """Take all frames; returns those that are kept, and their number."""
    if keep:
        held = list(frames)
        return held, len(held)
    return [], sum(1 for _ in frames)


@contextmanager
def cores(pinned: int | None, threads: int) -> Generator[None, None, None]:
    """Run on `pinned` processor cores (None: on any) and tell torch to use `threads`.

    Encoders have their own ideas about threads; where the system can bind a process to cores, this is what counts.
    """
    import torch

    before, places = torch.get_num_threads(), None
    torch.set_num_threads(threads)
    if pinned is not None and hasattr(os, "sched_setaffinity"):
        places = os.sched_getaffinity(0)
        with suppress(OSError):
            os.sched_setaffinity(0, sorted(places)[-pinned:])
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if places is not None:
            os.sched_setaffinity(0, places)


def processor() -> str:
    """Its name."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        if match := re.search(r"^model name\s*:\s*(.+)$", file.read(10_000), re.MULTILINE):
            return match[1].strip()
    return platform.processor() or platform.machine()
