"""Processes of a study: they have one thread each, and none outlives the study, whatever it does."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from small_clips import video

from xvcodec.errors import XvcError
from xvcodec.rd import pool
from xvcodec.rd.clips import find
from xvcodec.rd.codecs import Conditions, parse
from xvcodec.rd.store import Record, Store, Task

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Stuck(Store):
    """Never finishes a point, and leaves a file that says how many threads its libraries would take."""

    def find(self, task: Task) -> Record | None:
        import torch

        told = self.folder / "told.part"
        told.write_text(" ".join([str(os.getpid()), str(torch.get_num_threads()), *(os.environ[name] for name in NAMES)]))
        told.rename(self.folder / "told")
        time.sleep(600)
        return None


@pytest.mark.skipif(os.name != "posix", reason="processes are looked up as on POSIX")
@pytest.mark.parametrize("finished", [False, True])
def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool) -> None:
    monkeypatch.setattr(pool, "_PATIENCE", 0.5)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    (clip,) = find([video(tmp_path / "clip.mkv", 1)])
    made, errors = pool.Pool(1, Stuck(tmp_path, Conditions(timed=False)), ("psnr",), None), []

    def work() -> None:
        try:
            list(made.finish([Task(clip, parse("libx264"), 30.0)]))
        except XvcError as error:
            errors.append(str(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    deadline = time.monotonic() + 120
    while not (tmp_path / "told").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process, *threads = (tmp_path / "told").read_text().split()
    made.close(finished)
    thread.join(60)
    assert not thread.is_alive()
    assert "a second run goes on" in errors[0]
    assert threads == ["1"] * 4
    assert not any(name in os.environ for name in NAMES)
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)
