"""Training curves: `python tools/plot_curves.py LOG... -o curves.png` (needs matplotlib).

A log holds the JSON lines that `xvc train` prints; several logs of one model, in order, make one curve. Plots the loss of
clips and of photographs (mean of the root of error over step^2 plus rate; lower is better) against pixels seen; --columns
takes other figures of the lines, for which a dot is the mean since the line before, on batches drawn at random.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot


def read(paths: list[Path], columns: list[str]) -> dict[str, np.ndarray]:
    """Columns of the logs' lines that report all of them, each [lines], and the pixels seen till then, "Gpx"."""
    wanted = {*columns, "Gpx"}
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines() if line.startswith("{")]
    lines = [line for line in lines if wanted <= line.keys()]
    return {name: np.array([line[name] for line in lines]) for name in wanted}


def smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Running median over `width` lines: single batches differ by a factor of four."""
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)


def main() -> int:
    """Draw one panel for each group of logs (groups are separated by a comma)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", help="logs of one model, separated by commas")
    parser.add_argument("--names", nargs="+", default=["crossmodal", "crossmodal-fast"])
    parser.add_argument("--columns", nargs="+", default=["clip_loss", "photo_loss"])
    parser.add_argument("--limits", nargs=2, type=float, default=[0.1, 0.8], help="of the vertical axis")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    figure, axes = pyplot.subplots(1, len(options.logs), figsize=(5 * len(options.logs), 3.4), squeeze=False)
    for axis, group, name in zip(axes[0], options.logs, options.names, strict=False):
        columns = read([Path(path) for path in group.split(",")], options.columns)
        for number, column in enumerate(options.columns):
            axis.plot(columns["Gpx"], columns[column], ".", ms=2, alpha=0.3, color=f"C{number}")
            axis.plot(columns["Gpx"], smooth(columns[column], 21), color=f"C{number}", label=column.replace("_", " "))
        axis.set(title=name, xlabel="pixels seen (10$^9$)", ylabel="loss", ylim=options.limits)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(options.output, dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(main())
