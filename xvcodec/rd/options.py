"""What a study is asked for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from xvcodec.errors import UsageError
from xvcodec.metrics import NAMES

from .bd import check_method
from .ladder import RANGE


@dataclass(frozen=True)
class Options:
    """A study. `clips` are files and folders, `codecs` specifications such as "libx265:preset=medium"."""

    clips: tuple[str | Path, ...]
    codecs: tuple[str, ...]
    output: Path  # folder of the report
    metrics: tuple[str, ...] = ("psnr",)
    crf: tuple[float, ...] | None = None  # settings of every codec; None finds them
    points: int = 4  # of a ladder that is found
    quality: tuple[float, float] = RANGE  # that ladders are to cover: mean PSNR-RGB in dB
    frames: int | None = None  # of each clip, from its start
    gop: int = 32  # most frames from one key frame to the next
    threads: int = 1
    jobs: int = 1  # points at a time; more than one measures no times
    captions: bool = True  # give xvc the captions of index.jsonl
    add: tuple[str | Path, ...] = ()  # results of other tools, .json or .csv
    reference: str | None = None  # of BD figures; None takes x265, else the first
    method: str = "akima"  # or pchip
    squeezenet: str | Path | None = None  # arrays of that metric

    def __post_init__(self) -> None:
        check_method(self.method)
        low, high = self.quality
        limits = {"--points": (self.points, 2, 64), "-g": (self.gop, 1, 1024), "--threads": (self.threads, 1, 1024),
                  "--jobs": (self.jobs, 1, 1024), "--frames": (1 if self.frames is None else self.frames, 1, 10**9)}
        for flag, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise UsageError(f"{flag} is {value}, but goes from {least} to {most}.")
        if not 0.0 < low < high < 100.0:
            raise UsageError(f"--range is {low:g},{high:g}, but needs two qualities in dB, the lower one first.")
        if unknown := [name for name in self.metrics if name not in NAMES]:
            raise UsageError(f"There is no metric '{unknown[0]}': choose from {', '.join(NAMES)}.")

    @property
    def command(self) -> str:
        """The command line that asks for the same."""
        usual = Options((), (), Path())
        words = [*map(str, self.clips), *(word for codec in self.codecs for word in ("--codec", codec))]
        given = {"--metric": ",".join(self.metrics), "-o": str(self.output), "--crf": self.crf and _numbers(self.crf),
                 "--points": self.points, "--range": _numbers(self.quality), "--frames": self.frames, "-g": self.gop,
                 "--threads": self.threads, "--jobs": self.jobs, "--reference": self.reference, "--method": self.method}
        same = {"--points": usual.points, "--range": _numbers(usual.quality), "-g": usual.gop, "--threads": usual.threads,
                "--jobs": usual.jobs, "--method": usual.method}
        for flag, value in given.items():
            if value is not None and value != same.get(flag):
                words += [flag, str(value)]
        words += [] if self.captions else ["--no-captions"]
        words += [word for file in self.add for word in ("--add", str(file))]
        words += ["--squeezenet", str(self.squeezenet)] if self.squeezenet else []
        return shlex.join(["xvc", "rd", *words])


def _numbers(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)
