"""Every rate and quality of the README and the model cards, with one command:

    python tools/rd_study.py ../shared/data/val -o runs/rd

Four studies, each a report of its own below -o: `table` (fixed settings, PSNR-RGB and bits a pixel), `bd` (BD-rates against
x264, x265 and SVT-AV1 over one range of quality), `stills` (the same for the clips' first frames, or for pictures given as
clips), `text` (captions: right, none, another clip's). The tables go to the standard output and to `tables.md` as Markdown.
What is finished is not run again; --only takes one of them. Not from here: speeds of whole programs, memory and the entropy
coder (`make bench`), kMAC (`xvc models`), and the text encoder's card (`tools/distil_text.py --measure`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from xvcodec import rd
from xvcodec.errors import XvcError
from xvcodec.rd.style import styles

X264, X265, AV1 = "libx264:preset=medium", "libx265:preset=medium", "libsvtav1:preset=6"
MODELS, ANCHORS = ("crossmodal", "crossmodal-fast"), (X264, X265, AV1)
METRICS = ("psnr", "msssim", "xpsnr", "tpsnr")


def table(run: Callable[..., rd.Results]) -> str:
    """Settings as in the README, means over the clips."""
    results = run("table", ["crossmodal:crf=44,52,60", "crossmodal-fast:crf=36,44,52", f"{X264}:crf=28,32,36",
                            f"{X265}:crf=28,32,36"], ["psnr"])  # fmt: skip
    labels = _labels(results)
    lines = ["| | crf | PSNR-RGB | bits a pixel |", "|---|---|---|---|"]
    for codec in results.codecs:
        for number, point in enumerate(results.mean_curve(codec, "psnr")):
            name = labels[codec] if number == 0 else ""
            lines.append(f"| {name} | {point.crf:g} | {point.values['psnr']:.2f} dB | {point.bpp:.4f} |")
    return "\n".join([*lines, "", _conditions(results)])


def bd(run: Callable[..., rd.Results]) -> str:
    """BD-rates of all models against three anchors, by every metric, and the speed of the same points."""
    results = run("bd", [*MODELS, *ANCHORS], METRICS)
    lines = _against_anchors(results)
    if not results.data["conditions"]["timed"]:
        return "\n".join([*lines, _conditions(results)])
    lines += ["| frames a second | encode | decode |", "|---|---|---|"]
    frames = {clip["name"]: clip["frames"] for clip in results.data["clips"]}
    for codec in results.codecs:
        points = [point for point in results.data["points"] if point["codec"] == codec]
        speeds = [np.exp(np.mean([np.log(frames[point["clip"]] / point[key]) for point in points]))
                  for key in ("encode_s", "decode_s")]
        lines.append(f"| {_labels(results)[codec]} | {speeds[0]:.1f} | {speeds[1]:.1f} |")
    return "\n".join([*lines, "", _conditions(results)])


def stills(run: Callable[..., rd.Results]) -> str:
    """BD-rates of one picture a clip: key frames alone."""
    results = run("stills", [*MODELS, *ANCHORS], ["psnr", "msssim"], frames=1)
    return "\n".join([*_against_anchors(results), _conditions(results)])


def text(run: Callable[..., rd.Results]) -> str:
    """What a caption is worth: BD-rate against coding without one."""
    lines = ["| BD-rate against no caption | psnr | msssim |", "|---|---|---|"]
    for model in MODELS:
        none = f"{model}:text=none"
        results = run(f"text-{model}", [none, model, f"{model}:text=other"], ["psnr", "msssim"], reference=none)
        rows = {(row["codec"], row["metric"]): row["rate"] for row in results.data["bd"]}
        for codec, what in ((model, "right caption"), (f"{model}:text=other", "another clip's")):
            lines.append(f"| {model}, {what} | {_rate(rows[codec, 'psnr'])} | {_rate(rows[codec, 'msssim'])} |")
    return "\n".join([*lines, "", _conditions(results)])


def _labels(results: rd.Results) -> dict[str, str]:
    return {name: style.label for name, style in styles(results.data["codecs"]).items()}


def _against_anchors(results: rd.Results) -> list[str]:
    """A table for each anchor: the other codecs by every metric."""
    labels, lines = _labels(results), []
    for reference in ANCHORS:
        lines += [f"| BD-rate against {labels[reference]} | " + " | ".join(results.metrics) + " |",
                  "|---" * (1 + len(results.metrics)) + "|"]
        rows = {(row["codec"], row["metric"]): row["rate"] for row in results.bd(reference, results.method)}
        lines += [f"| {labels[codec]} | " + " | ".join(_rate(rows[codec, metric]) for metric in results.metrics) + " |"
                  for codec in results.codecs if codec != reference]
        lines.append("")
    return lines


def _rate(rate: dict[str, Any] | None) -> str:
    if rate is None:
        return "no figure"
    return f"{rate['mean']:+.1f} %" + ("" if rate["low"] is None else f" ({rate['low']:+.1f} .. {rate['high']:+.1f})")


def _conditions(results: rd.Results) -> str:
    told = results.data["conditions"]
    frames = f"at most {told['frames']} frames each" if told["frames"] else "all frames"
    cores = f"{told['threads']} thread{'' if told['threads'] == 1 else 's'} on {told['machine']['cpu']}"
    return " ".join([f"{len(results.clips)} clips, {frames}, key frames at most {told['key_interval']} apart, {cores}; "
                     "whole files.", *results.notes])


STUDIES = {"table": table, "bd": bd, "stills": stills, "text": text}


def main() -> int:
    """Run the studies that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/rd"))
    parser.add_argument("--only", choices=STUDIES)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="points at a time; above 1 no times")
    given = parser.parse_args()

    def tell(progress: rd.Progress) -> None:
        if progress.record and progress.made:
            task = progress.task
            print(f"{progress.done}/{progress.total} {task.codec.name} {task.setting:g} {task.clip.name} "
                  f"eta {progress.eta or 0:.0f} s", file=sys.stderr, flush=True)

    def run(folder: str, codecs: list[str], metrics: list[str], **more: Any) -> rd.Results:
        options = {"frames": given.frames, "threads": given.threads, "jobs": given.jobs} | more
        results = rd.run(given.clips, codecs, metrics, given.output / folder, progress=tell, **options)
        rd.report.write(results, given.output / folder)
        return results

    try:
        parts = [STUDIES[name](run) for name in ([given.only] if given.only else STUDIES)]
    except XvcError as error:
        print(f"rd_study: {error}", file=sys.stderr)
        return 1
    (given.output / "tables.md").write_text("\n\n".join(parts) + "\n")
    print("\n\n".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
