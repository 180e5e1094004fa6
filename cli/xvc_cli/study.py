"""What `xvc rd` says: a line of progress while it runs, a table when it is done."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

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
    """BD-rates against the reference, a codec a row and a metric a column, with what stands behind them."""
    rows = {name: [row for row in results.data["bd"] if row["codec"] == name] for name in results.codecs}
    rows = {name: found for name, found in rows.items() if found}
    if not rows:
        return "One codec alone has no BD-rate; its points are in results.csv."
    table = [["", *results.metrics]]
    for name, found in rows.items():
        cells = {row["metric"]: _cell(row) for row in found}
        table.append([name, *(cells.get(metric, "") for metric in results.metrics)])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    head = f"BD-rate against {results.reference} ({results.method}; mean over clips, 95 % of draws of the clips):"
    return "\n".join([head, *("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                              for row in table)])


def _cell(row: dict[str, object]) -> str:
    rate, clips = row["rate"], row["clips"]
    assert isinstance(clips, dict)
    if not isinstance(rate, dict):
        why = next((clip["why"] for clip in clips.values() if clip["why"]), "no clip has both curves")
        return f"none: {why}"
    span = "" if rate["low"] is None else f" [{rate['low']:+.1f}, {rate['high']:+.1f}]"
    some = f" ({rate['clips']} of {len(clips)} clips)" if rate["clips"] < len(clips) else ""
    return f"{rate['mean']:+.1f} %{span}{some}"
