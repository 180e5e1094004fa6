"""Rate-distortion studies: many codecs, many clips, one set of conditions.

    from xvcodec import rd

    results = rd.run(["clips"], ["crossmodal", "libx265:preset=medium"], ["psnr", "msssim"], "report")
    bpp, psnr = results.curve("crossmodal", "bees", "psnr")
    results.bd(reference="libx265:preset=medium")
    rd.report.write(results, "report")  # plots and index.html

docs/rd.md says what is compared and how.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import page, plots, report
from .bd import Curve, Delta, Summary
from .compare import Comparison, compare
from .ladder import RANGE
from .options import Options
from .results import Results
from .schedule import Progress, Report

__all__ = ["Comparison", "Curve", "Delta", "Options", "Progress", "Results", "Summary", "compare", "page", "plots", "report",
           "run", "run_options"]


def run(clips: Sequence[str | Path], codecs: Sequence[str], metrics: Sequence[str] = ("psnr",),
        output: str | Path = "report", *, crf: Sequence[float] | None = None, points: int = 4,
        quality: tuple[float, float] = RANGE, frames: int | None = None, gop: int = 32, threads: int = 1, jobs: int = 1,
        captions: bool = True, add: Sequence[str | Path] = (), reference: str | None = None, method: str = "akima",
        squeezenet: str | Path | None = None, progress: Report | None = None) -> Results:
    """Run a study, or what is left of it; writes results.json and results.csv into `output`.

    Args: as the fields of `Options`; `progress` is called before and after every point. With `jobs` above 1 the caller's
    module is imported again by each process, so it must be guarded by `if __name__ == "__main__"`.
    Raises:
        XvcError: one sentence. What was finished is kept, and the same call goes on from there.
    """
    given = None if crf is None else tuple(sorted(set(map(float, crf))))
    options = Options(tuple(clips), tuple(codecs), Path(output), tuple(metrics), given, points, quality, frames, gop,
                      threads, jobs, captions, tuple(add), reference, method, squeezenet)
    return run_options(options, progress)


def run_options(options: Options, progress: Report | None = None) -> Results:
    """`run`, with its arguments in one object."""
    from .study import run_study

    return run_study(options, progress)
