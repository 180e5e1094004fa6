"""What a training run has learned so far, and what more of it would bring:

    python tools/learning_curve.py run1.jsonl run2.jsonl --name crossmodal-latent -o docs/models/crossmodal-latent-curve.png

Reads the JSON lines that `xvc train` prints (several logs of one model, in order; a run that was begun again from an
earlier step replaces what came after it), draws every loss against steps and device hours, and fits a + b n^-c to
each, n being steps. A line of a log is a mean over the steps since the line before and weighs as many; `probe_`
losses are those of the averaged weights on the same batches every time. The intervals (5 to 95 %) come from a
bootstrap over blocks of neighbouring lines: they say how far the noise of single batches leaves the curve open, and
nothing about whether a power law holds at all, nor about a rate of learning that changes. Prints a Markdown table:
the loss now, and the fit at 10 and 100 times the steps. Losses are roots of squared error (plus rate), so a loss
falling by a factor f is worth about 20 log10 f dB at equal bits.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FACTORS = (1.0, 10.0, 100.0)
EXPONENTS = np.geomspace(0.02, 2.0, 80)
BLOCK = 4
"""Lines that are drawn together: neighbours share crops' clips and the state of the optimiser."""
SAMPLES = 400


@dataclass(frozen=True)
class Law:
    """loss = a + b n^-c."""

    a: float
    b: float
    c: float

    def __call__(self, n: Floats | float) -> Any:
        """The loss after n steps."""
        return self.a + self.b * np.power(n, -self.c)


def read(paths: list[Path]) -> list[dict[str, float]]:
    """Lines that report a loss, in order of steps; each gets `steps`, what it is a mean over, where the log has none."""
    lines: list[dict[str, float]] = []
    for path in paths:
        for text in path.read_text().splitlines():
            line = json.loads(text) if text.startswith("{") else {}
            if not any(name.endswith("_loss") for name in line):
                continue
            while lines and (lines[-1]["step"], "probe" in str(lines[-1])) >= (line["step"], "probe" in text):
                lines.pop()
            line.setdefault("steps", line["step"] - (lines[-1]["step"] if lines else 0))
            lines.append(line)
    return lines


def fit(n: Floats, loss: Floats, weight: Floats) -> Law:
    """Least squares with a and b at least 0; the best of `EXPONENTS`."""
    best, law = math.inf, Law(float(np.average(loss, weights=weight)), 0.0, 1.0)
    centre = np.average(loss, weights=weight)
    for c in EXPONENTS:
        x = np.power(n, -c)
        middle = np.average(x, weights=weight)
        spread = float((weight * (x - middle) ** 2).sum())
        b = max(0.0, float((weight * (x - middle) * (loss - centre)).sum()) / spread) if spread > 0.0 else 0.0
        a = centre - b * middle
        if a < 0.0:
            a, b = 0.0, float((weight * x * loss).sum() / (weight * x * x).sum())
        error = float((weight * (loss - a - b * x) ** 2).sum())
        if error < best:
            best, law = error, Law(float(a), b, float(c))
    return law


def resampled(n: Floats, loss: Floats, weight: Floats, seed: int = 0) -> list[Law]:
    """Fits to blocks of lines drawn with replacement."""
    random, size = np.random.default_rng(seed), min(BLOCK, len(n))
    starts = random.integers(0, len(n) - size + 1, (SAMPLES, -(-len(n) // size)))
    return [fit(n[rows], loss[rows], weight[rows]) for rows in
            ((row[:, None] + np.arange(size)).ravel()[: len(n)] for row in starts)]


def column(lines: list[dict[str, float]], name: str) -> Floats:
    """One figure of every line."""
    return np.array([line[name] for line in lines], np.float64)


def smooth(n: Floats, values: Floats, weight: Floats) -> Floats:
    """Running mean of a Gaussian shape, a twentieth of the whole run wide."""
    reach = (n[-1] - n[0]) / 20
    kernel = np.exp(-0.5 * ((n[:, None] - n[None]) / max(reach, 1.0)) ** 2) * weight
    smoothed: Floats = kernel @ values / kernel.sum(axis=1)
    return smoothed


def summary(laws: list[Law], law: Law, now: float) -> list[str]:
    """Cells of the table: the fit at each factor with its interval, and what the last is worth in dB."""
    cells = []
    for factor in FACTORS:
        low, high = np.quantile([one(now * factor) for one in laws], [0.05, 0.95])
        gain = "" if factor == 1.0 else f", {20 * math.log10(law(now) / law(now * factor)):+.2f} dB"
        cells.append(f"{law(now * factor):.4f} ({low:.4f} .. {high:.4f}){gain}")
    exponents = np.quantile([one.c for one in laws], [0.05, 0.95])
    return [*cells, f"{law.a:.3f} + {law.b:.3g} n^-{law.c:.2f} (c {exponents[0]:.2f} .. {exponents[1]:.2f})"]


def draw(axis: Any, n: Floats, loss: Floats, weight: Floats, law: Law, laws: list[Law]) -> None:
    """Lines of the log, their running mean, the fit as far as 100 times the steps, and its interval."""
    far = np.geomspace(n[0], n[-1] * FACTORS[-1], 200)
    low, high = np.quantile([one(far) for one in laws], [0.05, 0.95], axis=0)
    axis.fill_between(far, low, high, color="tab:orange", alpha=0.25, lw=0, label="5 to 95 %")
    axis.plot(n, loss, ".", ms=3, alpha=0.35, color="tab:blue", label="means of the log")
    axis.plot(n, smooth(n, loss, weight), color="tab:blue", label="running mean")
    axis.plot(far, law(far), "--", color="tab:orange", label=f"{law.a:.3f} + {law.b:.2g} n$^{{-{law.c:.2f}}}$")
    axis.axvline(n[-1], color="grey", lw=0.8)
    axis.set(xscale="log", xlabel="steps", ylim=(float(low.min()) * 0.95, float(np.quantile(loss, 0.98)) * 1.05))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)


def main() -> None:
    """Fit, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", type=Path)
    parser.add_argument("--name", default="", help="title of the picture")
    parser.add_argument("--skip", type=int, default=100, help="steps at the start that are not fitted: the warm-up")
    parser.add_argument("--all", action="store_true", help="losses of single batches too, where there are probes")
    parser.add_argument("-o", "--output", type=Path, help="picture (needs matplotlib)")
    given = parser.parse_args()
    lines = [line for line in read(given.logs) if line["step"] > given.skip]
    names = sorted({name for line in lines for name in line if name.endswith("_loss")})
    having = {name: [line for line in lines if name in line] for name in names}
    names = [name for name in names if len(having[name]) >= 2 * BLOCK]
    if not given.all:
        names = [name for name in names if name.startswith("probe_")] or names
    if not names:
        parser.error(f"the logs have {len(lines)} lines behind step {given.skip}, but a fit needs {2 * BLOCK} of one loss")
    clock = "processor" if all("processor" in line for line in lines) else "minutes"
    last, hours = lines[-1]["step"], lines[-1][clock] / 60.0
    fits = {}
    what = "of the process" if clock == "processor" else "on the clock"
    print(f"{last:.0f} steps, {hours:.2f} device hours ({what})\n\n"
          "| loss | fit now | at 10 times the steps | at 100 times | law |\n|---|---|---|---|---|")
    for name in names:
        n, loss, weight = (column(having[name], key) for key in ("step", name, "steps"))
        fits[name] = law, laws = fit(n, loss, weight), resampled(n, loss, weight)
        print(f"| {name} | {' | '.join(summary(laws, law, n[-1]))} |")
    if given.output:
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(1, len(names), figsize=(5.2 * len(names), 3.8), squeeze=False)
        for axis, name in zip(axes[0], names, strict=True):
            n, loss, weight = (column(having[name], key) for key in ("step", name, "steps"))
            draw(axis, n, loss, weight, *fits[name])
            axis.set(title=f"{given.name} {name}".strip(), ylabel="loss")
            rate = hours / last
            top = axis.secondary_xaxis("top", functions=(lambda x, rate=rate: x * rate, lambda x, rate=rate: x / rate))
            top.set_xlabel("device hours", fontsize=8)
        figure.tight_layout()
        figure.savefig(given.output, dpi=110)


if __name__ == "__main__":
    main()
