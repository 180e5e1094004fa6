"""One point of a study: encode, decode, measure; or what is missing of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xvcodec.errors import InputError
from xvcodec.media.types import Frame
from xvcodec.metrics import Metric, measure, resolve

from .clips import Clip
from .codecs import Codec, Conditions
from .store import Record, Store

_HELD = 1 << 29
"""Bytes of decoded frames that are kept, so that nothing runs beside a decoder whose time is taken."""


@dataclass(frozen=True)
class Job:
    """All that one point needs. Pickles."""

    codec: Codec
    clip: Clip
    setting: float
    metrics: tuple[str, ...]
    conditions: Conditions
    folder: Path
    squeezenet: str | None = None

    @property
    def name(self) -> str:
        """Of its files."""
        return Store(self.folder).name(self.codec, self.clip, self.setting, self.conditions)

    def finished(self) -> Record | None:
        """The point, when it is on disk with every metric."""
        record = Store(self.folder).load(self.name)
        return record if record and all(metric in record["metrics"] for metric in self.metrics) else None


def run(job: Job) -> Record:
    """The finished point; whatever of it is on disk is not done again.

    A metric that this clip cannot be measured with is null, with the reason in `missing`.
    Raises XvcError, BitstreamError, OSError.
    """
    store, name = Store(job.folder), job.name
    stream = store.streams / f"{name}{job.codec.suffix(job.clip)}"
    record = store.load(name)
    with _cores(job.conditions.threads):
        if record is None or not stream.is_file():
            _warm(job)
            started = time.monotonic()
            job.codec.encode(job.clip, job.setting, stream, job.conditions)
            record = _described(job, stream, time.monotonic() - started)
        wanted = [metric for metric in job.metrics if metric not in record["metrics"]]
        _measure(job, stream, record, resolve(wanted, squeezenet=job.squeezenet)[0])
    store.save(name, record)
    return record


def _described(job: Job, stream: Path, seconds: float) -> Record:
    coded = job.codec.inspect(stream, job.conditions)
    clip = job.clip
    return {"clip": clip.name, "codec": job.codec.name, "crf": job.setting, "bytes": coded.bytes, "overhead": coded.overhead,
            "bpp": 8 * coded.bytes / clip.pixels, "kbps": 0.008 * coded.bytes / clip.seconds if clip.seconds else None,
            "encode_s": seconds, "decode_s": None, "threads": job.conditions.threads if job.conditions.timed else None,
            "metrics": {}, "frames": {}, "missing": {}, "stream": f"streams/{stream.name}"}


def _measure(job: Job, stream: Path, record: Record, metrics: Sequence[Metric]) -> None:
    """Decode, and put what `metrics` say into the record; the first time also how long decoding took."""
    info = job.clip.info
    spent = [0.0]
    frames: Iterator[Frame] = _timed(job.codec.decode(stream, job.clip), spent)
    if job.clip.pixels * (3 if info.bit_depth == 10 else 1.5) <= _HELD:
        frames = iter(list(frames))
    count = 0

    def pairs() -> Iterator[tuple[Frame, Frame]]:
        nonlocal count
        try:
            for pair in zip(job.clip.read(), frames, strict=True):
                count += 1
                yield pair
        except ValueError:
            raise InputError(f"'{stream.name}' does not decode to the {job.clip.frames} frames of its source.") from None

    measured, stopped = measure(metrics, info, pairs())
    for name, found in measured.items():
        record["metrics"][name] = found.clip
        values: list[Any] = [None] * found.first + [round(value, 5) for value in found.frames]
        record["frames"][name] = values
    for missing in stopped:
        record["metrics"][missing.name] = None
        record["missing"][missing.name] = missing.reason
    if record["decode_s"] is None:
        record["decode_s"] = spent[0]


def _timed(frames: Generator[Frame, None, None], spent: list[float]) -> Iterator[Frame]:
    """`frames`, with the seconds that they take added up."""
    with contextlib.closing(frames):
        while True:
            started = time.monotonic()
            frame = next(frames, None)
            spent[0] += time.monotonic() - started
            if frame is None:
                return
            yield frame


_warmed: set[tuple[str, int, int]] = set()


def _warm(job: Job) -> None:
    """Once a process, codec and size."""
    key = job.codec.name, job.clip.info.width, job.clip.info.height
    if job.conditions.timed and key not in _warmed:
        with tempfile.TemporaryDirectory() as folder:
            job.codec.warm(job.clip, job.conditions, Path(folder))
        _warmed.add(key)


@contextlib.contextmanager
def _cores(threads: int) -> Iterator[None]:
    """No encoder gets more cores than `threads`, whatever it thinks it may use."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    try:
        if len(allowed) > threads:
            first = os.getpid() % len(allowed)  # processes side by side do not all take the same core
            order = sorted(allowed)
            os.sched_setaffinity(0, [order[(first + number) % len(order)] for number in range(threads)])
        yield
    finally:
        torch.set_num_threads(before)
        if allowed:
            os.sched_setaffinity(0, allowed)
