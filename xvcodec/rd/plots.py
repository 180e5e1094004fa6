"""Rate-distortion plots for papers, as PNG and SVG: for each metric the means over clips, and one small plot a clip."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from xvc_bitstream import atomic_open

from xvcodec.errors import XvcError

from .style import Style, styles
from .view import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "inverted": "v", "pentagon": "p"}
_SIZES = {"s": 3.5, "D": 3.3, "p": 4.6}
_COLUMN = 3.5  # inches: one column of a two-column paper
_PAGE = 7.16
INSIDE = 5
"""Names of so many codecs find room beside their curves."""
_INK, _PALE = "#22262b", "#d9dce0"
_LOOK: dict[str, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["Inter", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "legend.fontsize": 7.5, "xtick.labelsize": 7,
    "ytick.labelsize": 7, "axes.edgecolor": _INK, "axes.labelcolor": _INK, "text.color": _INK, "xtick.color": _INK,
    "ytick.color": _INK, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4, "xtick.major.size": 2.5, "ytick.major.size": 2.5, "xtick.minor.size": 1.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": _PALE,
    "grid.linewidth": 0.5, "axes.axisbelow": True, "figure.constrained_layout.use": True,
    "svg.hashsalt": "xvc-rd", "savefig.dpi": 300,
}  # fmt: skip
_TITLES = {"psnr": "PSNR-RGB", "psnr-yuv": "PSNR-YUV 6:1:1", "ssim": "SSIM", "msssim": "MS-SSIM", "xpsnr": "XPSNR",
           "tpsnr": "Temporal PSNR", "squeezenet": "SqueezeNet distance", "lpips": "LPIPS", "dists": "DISTS",
           "vmaf": "VMAF"}  # fmt: skip

Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]
"""By codec: rates in bits a pixel, and values."""


def write(study: Study, folder: Path) -> list[Path]:
    """Write rd_<metric> and rd_<metric>_clips, each as .png and .svg, into `folder`; returns their paths.

    Metrics that no codec has values for are left out. Raises `XvcError` where matplotlib is not installed.
    """
    look = styles(study.data["codecs"])
    written: list[Path] = []
    for metric in study.metrics:
        if not any(study.curves(codec, metric) for codec in study.codecs):
            continue
        for name, figure in (("", _overall), ("_clips", _small_multiples)):
            with _drawing():
                drawn = figure(study, metric, look)
                written += _save(drawn, folder / f"rd_{safe_name(metric)}{name}") if drawn else []
    return written


def _overall(study: Study, metric: str, look: Mapping[str, Style]) -> Figure | None:
    means = {codec: study.mean_curve(codec, metric) for codec in study.codecs}
    series = {codec: ([point.bpp for point in points], [point.values[metric] for point in points])
              for codec, points in means.items() if points}
    if not series:
        return None
    figure = _figure(_COLUMN, 2.7 if len(series) <= INSIDE else 3.5)
    axes = figure.subplots()
    _draw(axes, series, look, study, metric)
    _rates(axes, "bits per pixel")
    axes.set_ylabel(axis_title(study, metric))
    count = len(study.shared_clips(metric))
    axes.set_title("mean of one clip" if count == 1 else f"mean of {count} clips", loc="left", color="#5c636a")
    lines, labels = axes.get_legend_handles_labels()
    if len(labels) > INSIDE:
        figure.legend(lines, labels, loc="outside lower center", ncols=2, frameon=False, handlelength=1.8)
    else:
        axes.legend(loc="lower right", frameon=False, handlelength=1.8, labelspacing=0.35, borderaxespad=0.2)
    return figure


def _small_multiples(study: Study, metric: str, look: Mapping[str, Style]) -> Figure | None:
    columns = min(4, len(study.clips))
    rows = math.ceil(len(study.clips) / columns)
    figure = _figure(max(_COLUMN, _PAGE * columns / 4), 0.45 + 1.55 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, clip in zip(grid.flat, study.clips, strict=False):
        curves = {codec: study.points(codec, clip, metric) for codec in study.codecs}
        series = {codec: ([point["bpp"] for point in points], [point["metrics"][metric] for point in points])
                  for codec, points in curves.items() if points}
        _draw(axes, series, look, study, metric)
        _rates(axes, None)
        axes.set_title(clip, loc="left", fontweight="bold", pad=3)
    for axes in grid.flat[len(study.clips):]:
        axes.set_axis_off()
    lines = {line.get_label(): line for axes in grid.flat for line in axes.get_lines()}
    figure.supxlabel("bits per pixel", fontsize=8)
    figure.supylabel(axis_title(study, metric), fontsize=8)
    ordered = [label for codec in study.codecs if (label := look[codec].label) in lines]
    figure.legend([lines[label] for label in ordered], ordered, loc="outside upper center",
                  ncols=min(len(ordered), 1 + columns), frameon=False, handlelength=1.8, columnspacing=1.4)
    return figure


def _draw(axes: Axes, series: Series, look: Mapping[str, Style], study: Study, metric: str) -> None:
    for codec, (rates, values) in series.items():
        style, marker = look[codec], _MARKERS[look[codec].marker]
        axes.plot(rates, values, color=style.light, marker=marker, markersize=_SIZES.get(marker, 4.0),
                  label=style.label, linewidth=1.5 if style.own else 1.1, markeredgecolor="white", markeredgewidth=0.4,
                  zorder=3 if style.own else 2, clip_on=False)
    if study.metric(metric)["better"] == "lower":
        axes.invert_yaxis()


def _rates(axes: Axes, title: str | None) -> None:
    """A logarithmic rate axis with plain numbers at few round places."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_xscale("log")
    axes.margins(x=0.06, y=0.08)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if high / low > 3.5 else (1, 1.5, 2, 3, 4, 5, 6, 8)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if title:
        axes.set_xlabel(title)


def axis_title(study: Study, metric: str) -> str:
    """What stands beside the quality axis: name, unit, and the direction where lower is better."""
    about = study.metric(metric)
    unit = f" [{about['unit']}]" if about["unit"] else ""
    return f"{metric_title(metric)}{unit}" + (", lower is better" if about["better"] == "lower" else "")


def metric_title(name: str) -> str:
    """The name as papers print it."""
    return _TITLES.get(name, name)


def safe_name(name: str) -> str:
    """`name` as a part of a file name."""
    return re.sub(r"[^\w.+-]+", "_", name)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


@contextmanager
def _drawing() -> Iterator[None]:
    """matplotlib in our look, without pyplot: no window system, no state left behind."""
    try:
        import matplotlib
    except ImportError as error:
        raise XvcError("Plots need matplotlib: pip install 'xvc[rd]'.") from error
    import logging

    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    fonts.setLevel(logging.ERROR)  # which of the fonts in the list are missing is of no interest
    try:
        with matplotlib.rc_context(cast(Any, _LOOK)):
            yield
    finally:
        fonts.setLevel(level)


def _save(figure: Figure, stem: Path) -> list[Path]:
    """Both files, complete or not at all; the same study gives the same bytes."""
    paths = []
    for suffix in ("png", "svg"):
        path = stem.with_name(f"{stem.name}.{suffix}")
        with atomic_open(path) as sink:
            figure.savefig(sink, format=suffix, metadata={"Date": None} if suffix == "svg" else {"Software": None})
        paths.append(path)
    return paths
