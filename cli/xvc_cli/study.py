"""What `xvc rd` says: a line of progress while it runs, a table when it is done."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .console import Console
from .progress import clock

if TYPE_CHECKING:
    from xvcodec.rd import Progress, Results


def line(p: Progress) -> str:
    """A point that is begun, or one that is done with its figures."""
    task = p.task
    eta = f" eta={clock(p.eta, 0)}" if p.eta is not None else ""
    count = f"{p.done:{len(str(p.total))}d}/{p.total}"
    text = f"{count} {task.codec.name} {task.codec.setting}={task.setting:g} {task.clip.name}"
    if p.record is None:
        return f"{text} ... time={clock(p.elapsed, 0)}{eta}"
    psnr = p.record.values["psnr"].measured
    figures = f"{8 * p.record.bytes / task.clip.pixels:.4f} bpp" + (f" {psnr.clip:.2f} dB" if psnr else "")
    return f"{text} {figures}{'' if p.made else ' (was there)'} time={clock(p.elapsed, 0)}{eta}"


@contextlib.contextmanager
def meter(console: Console) -> Iterator[Callable[[Progress], None]]:
    """On a terminal one line that overwrites itself; in a log a line for every point that was made."""
    width = 0

    def show(p: Progress) -> None:
        nonlocal width
        if console.live:
            text = line(p)[: _columns() - 1]
            sys.stderr.write("\r" + text.ljust(width))
            sys.stderr.flush()
            width = len(text)
        elif p.record is not None and p.made:
            console.say("info", line(p))

    try:
        yield show
    finally:
        if width:
            sys.stderr.write("\n")


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def told(results: Results) -> str:
    """BD-rates against the reference, a codec a row and a metric a column; below, why some are not given."""
    from xvcodec.rd.bd import GOOD_OVERLAP, LEVEL

    rows = {name: [row for row in results.data["bd"] if row["codec"] == name] for name in results.codecs}
    rows = {name: found for name, found in rows.items() if found}
    if not rows:
        return "One codec alone has no BD-rate; its points are in results.csv."
    table = [["", *results.metrics]]
    for name, found in rows.items():
        cells = {row["metric"]: _cell(row, len(results.clips)) for row in found}
        table.append([name, *(cells.get(metric, "") for metric in results.metrics)])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    head = (f"BD-rate against {results.reference} ({results.method}; mean over clips, {100 * LEVEL:.0f} % of draws of the "
            f"clips; least overlap of the curves where it is below {100 * GOOD_OVERLAP:.0f} %):")
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    refused = [f"{name}, {row['metric']}: no mean, because {_why(row, len(results.clips))}."
               for name, found in rows.items() for row in found if row["rate"] is None]
    return "\n".join([head, *lines, *refused])


def _cell(row: Mapping[str, Any], of: int) -> str:
    """The mean of a row; `of` is the number of clips in the study."""
    from xvcodec.rd.bd import GOOD_OVERLAP

    rate, clips = row["rate"], row["clips"]
    if rate is None:
        return "-"
    span = "" if rate["low"] is None else f" [{rate['low']:+.1f}, {rate['high']:+.1f}]"
    least = min(clip["overlap"] for clip in clips.values() if clip["rate"] is not None)
    some = [f"{rate['clips']} of {of} clips"] if rate["clips"] < of else []
    some += [f"overlap {100 * least:.0f} %"] if least < GOOD_OVERLAP else []
    return f"{rate['mean']:+.1f} %{span}" + (f" ({', '.join(some)})" if some else "")


def _why(row: Mapping[str, Any], of: int) -> str:
    """Why there is no mean."""
    clips = row["clips"].values()
    having = sum(clip["rate"] is not None for clip in clips)
    if having:
        return f"only {having} of {of} clips have a figure"
    return next((str(clip["why"]) for clip in clips if clip["why"]), "no clip has both curves")
