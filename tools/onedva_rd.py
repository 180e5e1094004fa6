"""onedva with as many bytes as another codec, or a share of them, and what each way of painting makes of the same file:

    python tools/onedva_rd.py ../shared/data/val --report runs/rd --codec crossmodal --crf 58 --share 1,0.5 -o runs/onedva

The report is one of `xvc rd` over the same clips: it says how many bytes of each clip, and has streams of the codec and of
x265 to compare with, by PSNR, MS-SSIM and SqueezeNet distance at the same bytes (x265 between or beyond two of its points:
straight in the logarithm of the rate). Files of the first share are encoded, the others are those truncated, unless --encode
says otherwise. What is finished is not run again. Ways: "plain" is without painters, 0 the mean alone, others are steps of
the flow; "1:none" is without the clip's caption, "1:other" with the caption of the clip before.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from xvc_bitstream import BitstreamError

import xvcodec
from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.onedva import OnedvaCodec
from xvcodec.media import Frame, open_video
from xvcodec.metrics.panel import measure
from xvcodec.metrics.registry import resolve

X265 = "libx265:preset=medium"
METRICS = ("psnr", "msssim", "squeezenet")
Row = dict[str, Any]


def encode(source: Path, target: Path, frames: int, bpp: float, model: str, caption: str) -> None:
    """A clip's first frames as a file of about so many bits a pixel."""
    with open_video(source, audio=False) as reader:
        seconds = float(frames / reader.info.frame_rate)
    options = xvcodec.EncodeOptions(model=model, bpp=bpp, duration=seconds, audio=False, prompt=caption)
    xvcodec.encode(source, target, options)


def make(row: Row, target: Path, whole: Path | None, share: float, model: str) -> None:
    """A file of a share of the bytes: `whole` truncated, or encoded where there is none, or where motion alone is more."""
    if whole is not None and whole.exists():
        try:
            xvcodec.truncate(whole, target, size=int(row["its"]["bytes"] * share))
            return
        except BitstreamError as error:
            print(f"{whole.stem}: {error}", flush=True)
    encode(row["file"], target, row["frames"], row["its"]["bpp"] * share, model, row["caption"])


def decoded(file: Path, source: Path, way: str, model: str, other: str, every: int) -> Row:
    """Metrics of every so manieth picture of a file, and seconds of this process that all of it took."""
    steps, _, text = way.partition(":")
    options = xvcodec.DecodeOptions(model=model if model.endswith(".safetensors") else None,
                                    prompt={"none": "", "other": other}.get(text), steps=0 if way == "plain" else int(steps))
    with ExitStack() as stack:
        if way == "plain":
            stack.enter_context(patch.object(OnedvaCodec, "reconstruct", CrossmodalCodec.reconstruct))
        video = stack.enter_context(xvcodec.open(file, options))
        return figures(source, video.frames(), video.probe()["frames"], every)


def reference(file: Path, source: Path, frames: int, every: int) -> Row:
    """The same of a stream of the report, in xvc's or any other format."""
    with ExitStack() as stack:
        if file.suffix == ".xvc":
            return figures(source, stack.enter_context(xvcodec.open(file)).frames(), frames, every)
        reader = stack.enter_context(open_video(file, audio=False))
        return figures(source, (each for each in reader if isinstance(each, Frame)), frames, every)


def figures(source: Path, made: Iterable[Frame], frames: int, every: int) -> Row:
    """Metrics of every so manieth of so many pictures, and seconds of this process."""
    start = time.process_time()
    with open_video(source, audio=False) as reader:
        first = islice((each for each in reader if isinstance(each, Frame)), frames)
        pairs = islice(zip(first, made, strict=True), None, None, every)
        found, _ = measure(resolve(METRICS)[0], reader.info, pairs)
    row: Row = {name: each.clip for name, each in found.items()}
    return row | {"seconds": time.process_time() - start}


def at(points: list[Row], bpp: float, metric: str) -> float:
    """A metric of a codec's points at a rate, also beyond its points."""
    rates = np.log([point["bpp"] for point in points])
    values = np.array([point[metric] for point in points])
    order = np.argsort(rates)
    rates, values = rates[order], values[order]
    place = int(np.clip(np.searchsorted(rates, np.log(bpp)), 1, len(rates) - 1))
    part = (np.log(bpp) - rates[place - 1]) / (rates[place] - rates[place - 1])
    return float(values[place - 1] + part * (values[place] - values[place - 1]))


def rows_of(folder: Path, report: Path, codec: str, crf: float, x265: list[float]) -> list[Row]:
    """Clips of the report: name, file, caption, frames, bits a pixel of the codec, and the points of it and of x265."""
    points = json.loads((report / "results.json").read_text())["points"]
    found = []
    for line in (folder / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        name = Path(entry["file"]).stem
        here = [point for point in points if point["clip"] == name]
        its = next(point for point in here if point["codec"] == codec and point["crf"] == crf)
        others = [point for point in here if point["codec"] == X265 and point["crf"] in x265]
        found.append({"name": name, "file": folder / entry["file"], "caption": entry.get("caption") or "", "its": its,
                      "x265": others, "frames": len(its["frames"]["psnr"])})
    return found


def table(results: Row, rows: list[Row], shares: list[float], ways: list[str]) -> Iterator[str]:
    """A Markdown table for each share: means, and on how many clips SqueezeNet's distance is below the others'."""
    for share in shares:
        yield (f"\n| {share:g} of the bits | bits a pixel | PSNR-RGB | MS-SSIM | SqueezeNet | below x265's "
               "| below the codec's |")
        yield "|---|---|---|---|---|---|---|"
        others = {"x265": [{m: at(row["x265"], row["its"]["bpp"] * share, m) for m in METRICS} for row in rows]}
        if share == 1.0:
            others["codec"] = [row["its"] for row in rows]
        for way in [*others, *ways]:
            own = others.get(way) or [results[f"{row['name']} {share:g}"][way] for row in rows]
            rate = [row["its"]["bpp"] * share if way in others else results[f"{row['name']} {share:g}"]["bpp"]
                    for row in rows]
            mean = {metric: np.mean([each[metric] for each in own]) for metric in METRICS}
            fewer = [sum(one["squeezenet"] < two["squeezenet"] for one, two in zip(own, others[name], strict=True))
                     if name in others and name != way else "" for name in ("x265", "codec")]
            yield (f"| {way} | {np.mean(rate):.4f} | {mean['psnr']:.2f} dB | {mean['msssim']:.4f} "
                   f"| {mean['squeezenet']:.3f} | {fewer[0]} | {fewer[1]} |")


def main() -> None:
    """Measure what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of clips with an index.jsonl")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--codec", default="crossmodal")
    parser.add_argument("--crf", type=float, default=58.0)
    parser.add_argument("--clips", help="some of them, by name")
    parser.add_argument("--x265", default="32,36", help="its points, crf")
    parser.add_argument("--share", default="1,0.5")
    parser.add_argument("--encode", action="store_true", help="do not truncate: encode the files of every share")
    parser.add_argument("--ways", default="plain,0,1")
    parser.add_argument("--every", type=int, default=4, help="only every so manieth frame is measured, of all codecs")
    parser.add_argument("--model", default="onedva")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    shares, ways = [float(one) for one in given.share.split(",")], given.ways.split(",")
    given.output.mkdir(parents=True, exist_ok=True)
    path = given.output / "results.json"
    results: Row = json.loads(path.read_text()) if path.exists() else {}
    x265 = [float(one) for one in given.x265.split(",")]
    rows = [row for row in rows_of(given.folder, given.report, given.codec, given.crf, x265)
            if not given.clips or row["name"] in given.clips.split(",")]
    for row in rows:
        for point in (row["its"], *row["x265"]):
            key = f"{row['name']} {point['codec']} {point['crf']:g}"
            if key not in results:
                results[key] = reference(given.report / point["stream"], row["file"], row["frames"], given.every)
                path.write_text(json.dumps(results, indent=1))
            point.update(results[key])
    for share in shares:
        for number, row in enumerate(rows):
            key = f"{row['name']} {share:g}"
            file = given.output / f"{key}.xvc"
            if not file.exists():
                whole = None if given.encode else given.output / f"{row['name']} {shares[0]:g}.xvc"
                make(row, file, whole, share, given.model)
            size = file.stat().st_size * row["its"]["bpp"] / row["its"]["bytes"]
            own = results.setdefault(key, {"bpp": size})
            for way in ways:
                if way not in own:
                    own[way] = decoded(file, row["file"], way, given.model, rows[number - 1]["caption"], given.every)
                    path.write_text(json.dumps(results, indent=1))
                    print(key, way, own[way], flush=True)
    print("\n".join(table(results, rows, shares, ways)))


if __name__ == "__main__":
    main()
