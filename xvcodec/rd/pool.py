"""Points one after the other in this process, or several at a time in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xvcodec.errors import XvcError

from .store import Record, Store, Task
from .work import Worker

Begin = Callable[[Task], None]

_PATIENCE = 20.0
"""Seconds that processes without work may take to end before they are killed."""
_LIBRARIES = ("OMP", "OPENBLAS", "MKL")
"""Whose number of threads is read from the environment when they are loaded."""


def in_turn(worker: Worker, tasks: Sequence[Task], begin: Begin) -> Generator[tuple[Task, Record], None, None]:
    """One after the other; `begin` hears of each."""
    for task in tasks:
        begin(task)
        yield task, worker.finish(task)


class Pool:
    """Processes that finish points; none of them outlives this one."""

    def __init__(self, jobs: int, store: Store, metrics: Sequence[str], squeezenet: str | Path | None) -> None:
        self._pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start, (store, metrics, squeezenet))

    def finish(self, tasks: Sequence[Task]) -> Generator[tuple[Task, Record], None, None]:
        """Points as they come. Raises XvcError for the first that fails."""
        with _one_thread():  # the first task starts the processes
            futures: dict[Future[Record], Task] = {self._pool.submit(_finish, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise XvcError("A process of the study died (out of memory, perhaps): use fewer --jobs; a second run goes on "
                           "where this one stopped.") from None

    def close(self, finished: bool) -> None:
        """End the processes, at once when the study did not come to its end; one that does not end is killed."""
        # no public way stops a running job, or waits with a limit
        manager: Any = self._pool._executor_manager_thread
        processes = list((self._pool._processes or {}).values())
        if not finished:
            for process in processes:
                process.terminate()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if manager is None:
            return
        manager.join(_PATIENCE)
        if manager.is_alive():
            for process in processes:
                process.kill()
            manager.join()


@contextmanager
def _one_thread() -> Generator[None, None, None]:
    """Processes that are started meanwhile get libraries with one thread each: more would spin and starve each other."""
    names = [f"{library}_NUM_THREADS" for library in _LIBRARIES]
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_worker: Worker | None = None


def _start(store: Store, metrics: Sequence[str], squeezenet: str | Path | None) -> None:
    """Begin a process: Ctrl-C is the parent's to hear, and when the parent is gone, this one goes, too."""
    import torch

    global _worker
    torch.set_num_threads(1)  # where its build does not ask the environment
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    _worker = Worker(store, metrics, squeezenet)


def _follow() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _finish(task: Task) -> Record:
    assert _worker is not None
    return _worker.finish(task)
