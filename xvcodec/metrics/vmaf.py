"""VMAF by an ffmpeg program that was built with libvmaf; PyAV's wheels are not."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Literal

from xvcodec.media.convert import pixel_format
from xvcodec.media.types import Frame, VideoInfo

from .base import Absent, Measured, Meter, Unmeasurable, check_pair, pool

MODEL = "vmaf_v0.6.1"
REMEDY = "pip install imageio-ffmpeg, or put an ffmpeg with libvmaf on the PATH"


@lru_cache(maxsize=1)
def find_ffmpeg() -> str:
    """An ffmpeg that has libvmaf: the one on the PATH, else the one of the package imageio-ffmpeg.

    Raises:
        Absent: there is none.
    """
    candidates = [shutil.which("ffmpeg")]
    with contextlib.suppress(ImportError, RuntimeError):
        candidates.append(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    for program in filter(None, candidates):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            listed = subprocess.run([program, "-hide_banner", "-filters"], capture_output=True, text=True, timeout=30)
            if " libvmaf " in listed.stdout:
                return program
    raise Absent(f"VMAF needs an ffmpeg program that was built with libvmaf: {REMEDY}.")


class Vmaf:
    """VMAF with the model that libvmaf takes when none is named."""

    name = "vmaf"
    unit = ""
    better: Literal["higher", "lower"] = "higher"
    definition = f"VMAF of the planes as they are coded, 0..100, libvmaf's model {MODEL}; mean over frames."

    def __init__(self) -> None:
        self._program = find_ffmpeg()

    def start(self, info: VideoInfo) -> Meter:
        """Begin a clip."""
        return _VmafMeter(self.name, self._program, info)


class _VmafMeter:
    """Sends source and decoded frames by turns down one pipe, and lets ffmpeg pull them apart again."""

    def __init__(self, name: str, program: str, info: VideoInfo) -> None:
        self._name, self._info, self._frames = name, info, 0
        self._folder = tempfile.TemporaryDirectory(prefix="xvc-vmaf-")
        place = Path(self._folder.name)
        graph = (r"[0:v]split[a][b];[a]select=not(mod(n\,2)),setpts=N/25/TB[source];"
                 r"[b]select=mod(n\,2),setpts=N/25/TB[decoded];[decoded][source]libvmaf="
                 f"model=version={MODEL}:n_threads=1:log_fmt=json:log_path=vmaf.json")
        self._log = (place / "ffmpeg.log").open("wb")
        command = [program, "-hide_banner", "-nostats", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt",
                   pixel_format(info), "-s", f"{info.width}x{info.height}", "-r", "50", "-i", "-", "-lavfi", graph,
                   "-f", "null", "-"]
        try:
            self._process = subprocess.Popen(command, cwd=place, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                             stderr=self._log)
        except OSError as error:
            raise Unmeasurable(f"'{program}' does not start ({error.strerror}).") from error

    def add(self, source: Frame, decoded: Frame) -> None:
        """Send the next pair."""
        check_pair(source, decoded, self._info)
        pipe = self._process.stdin
        assert pipe is not None
        try:
            for frame in (source, decoded):
                for plane in frame.planes:
                    pipe.write(plane.tobytes())
        except OSError as error:
            raise self._failure() from error
        self._frames += 1

    def finish(self) -> Measured:
        """Wait for ffmpeg and read what it wrote."""
        with contextlib.suppress(OSError):
            self._process.communicate()
        try:
            log = json.loads((Path(self._folder.name) / "vmaf.json").read_text())
            values = [float(frame["metrics"]["vmaf"]) for frame in log["frames"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            if self._frames:
                raise self._failure() from error
            values = []
        if len(values) != self._frames:
            raise self._failure()
        self._log.close()
        self._folder.cleanup()
        return pool(self._name, values)

    def _failure(self) -> Unmeasurable:
        self._process.kill()
        self._process.wait()
        self._log.close()
        said = (Path(self._folder.name) / "ffmpeg.log").read_text(errors="replace").strip().splitlines()
        self._folder.cleanup()
        return Unmeasurable(f"VMAF could not be measured on this clip ({said[-1] if said else 'ffmpeg stopped'}).")
