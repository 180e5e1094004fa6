"""The figures of hivae's model card: files at given bits a pixel, decoded in several ways, and other codecs at their bytes.

    python tools/hivae_study.py ../shared/data/val -o runs/hivae --bpp 0.0168 0.008

A file for each clip and rate, every byte counted, decoded by each of --ways: `drawn` (as `xvc decode` does), `steps=N`,
`drop=global`, `drop=detail`, `text=no`. --model takes other models, --against other codecs, whose setting is searched until
their files have the size that was asked for. What is measured is kept in -o and not measured again; a model whose weights
have changed begins at the quality that the weights before needed. Prints Markdown: means over the clips, and on how many
of them the first row is better, metric by metric (SqueezeNet needs XVC_SQUEEZENET, see docs/metrics.md).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import xvcodec
from xvcodec.metrics import measure, resolve
from xvcodec.models.weights import load_model
from xvcodec.options import DecodeOptions, EncodeOptions
from xvcodec.rd.clips import Clip, find
from xvcodec.rd.codecs import Conditions, parse

METRICS = ("psnr", "msssim", "squeezenet", "tpsnr")
LOWER = ("squeezenet",)
CONDITIONS = Conditions(timed=False)
NEAR = 0.02
"""How far the size of a file may be from what was asked for before its quality is searched for again."""
STEPS = 10
"""Of the search for a setting: to a twentieth of a crf."""
Row = dict[str, Any]


def named(model: str) -> str:
    """A model and its weights, as files and rows are called."""
    return f"{Path(model).stem.split('-')[0]}-{load_model(model).hash.hex()[:8]}"


def decoding(way: str) -> DecodeOptions:
    """What a way of decoding means."""
    name, _, value = way.partition("=")
    if name == "steps":
        return DecodeOptions(steps=int(value))
    return {"drawn": DecodeOptions(), "drop": DecodeOptions(drop=(value,)), "text": DecodeOptions(text=False)}[name]


def measured(clip: Clip, frames: Any) -> Row:
    """Metrics of decoded frames."""
    metrics, _ = resolve(METRICS)
    found, _ = measure(metrics, clip.info, zip(clip.read(), frames, strict=True))
    return {name: value.clip for name, value in found.items()}


def ours(clip: Clip, model: str, bpp: float, way: str, folder: Path, crf: float | None) -> Row:
    """Encode, unless the file is there, and decode. A quality `crf` is tried before one is searched for."""
    path, row = folder / f"{named(model)}-{clip.name}-{bpp:g}.xvc", Row()
    if not path.exists():
        options = EncodeOptions(model=model, gop=CONDITIONS.gop, audio=False, duration=clip.cut, prompt=clip.caption)
        start = time.perf_counter()
        size = 0
        if crf is not None:
            size = xvcodec.encode(clip.path, path, replace(options, crf=crf)).video_bytes
            row["encode_s"] = time.perf_counter() - start
        if abs(size * 8 / clip.pixels / bpp - 1) > NEAR:
            xvcodec.encode(clip.path, path, replace(options, bpp=bpp))
    facts = xvcodec.probe(path)
    start = time.perf_counter()
    own = model if model.endswith(".safetensors") else None
    with xvcodec.open(path, replace(decoding(way), model=own)) as video:
        frames = list(video.frames())
    row["decode_s"] = time.perf_counter() - start
    return row | {"bytes": facts["video_bytes"], "crf": facts["gops"][0]["crf"], **measured(clip, frames)}


def nearest(clip: Clip, spec: str, wanted: int, folder: Path) -> tuple[int, float, Path]:
    """Bytes, setting and file of the try whose bytes are nearest, by bisection; larger settings make smaller files."""
    codec = parse(spec)
    low, high = codec.scale().best, codec.scale().worst
    tries: dict[int, tuple[float, Path]] = {}
    for number in range(STEPS):
        middle = (low + high) / 2 if number else high
        path = folder / f"try-{number}{codec.suffix(clip)}"
        codec.encode(clip, middle, path, CONDITIONS)
        size = codec.inspect(path, CONDITIONS).bytes
        tries[size] = middle, path
        if number:
            low, high = (middle, high) if size > wanted else (low, middle)
        elif size > wanted:
            break  # it cannot be smaller
    size = min(tries, key=lambda each: abs(each - wanted))
    return size, *tries[size]


def theirs(clip: Clip, spec: str, wanted: int, folder: Path) -> Row:
    """What another codec makes of so many bytes."""
    size, setting, path = nearest(clip, spec, wanted, folder)
    found = {"bytes": size, "crf": setting, **measured(clip, parse(spec).decode(path, clip))}
    for path in folder.glob("try-*"):
        path.unlink()
    return found


def table(rows: dict[str, Row], clips: list[Clip], bpp: float, names: list[str], pixels: dict[str, int]) -> None:
    """Means over the clips, and how often the first is better."""
    print(f"\n| {bpp:g} bits a pixel | bits a pixel | {' | '.join(METRICS)} | first row is better on |\n|---|{'---|' * 6}")
    of = {name: [rows[f"{clip.name} {bpp:g} {name}"] for clip in clips] for name in names}
    for name in names:
        rate = np.mean([8 * row["bytes"] / pixels[clip.name] for row, clip in zip(of[name], clips, strict=True)])
        cells, wins = [], []
        for metric in METRICS:
            here, first = ([row.get(metric, np.nan) for row in of[who]] for who in (name, names[0]))
            cells.append(f"{np.mean(here):.4f}" if metric == "msssim" else f"{np.mean(here):.2f}")
            signs = [(b - a) * (1 if metric in LOWER else -1) for a, b in zip(first, here, strict=True)]
            wins.append(f"{sum(sign > 0 for sign in signs)}")
        print(f"| {name} | {rate:.4f} | {' | '.join(cells)} | {', '.join(wins)} |")


def main() -> None:
    """Code, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for files and results.json")
    parser.add_argument("--bpp", type=float, nargs="+", default=[0.0168, 0.008])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--ways", nargs="+", default=["drawn"])
    parser.add_argument("--model", nargs="*", default=["hivae"], help="names or weights files")
    parser.add_argument("--against", nargs="*", default=["libx265:preset=medium", "libsvtav1:preset=6"])
    parser.add_argument("--only", nargs="+", help="names of clips")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.output.mkdir(parents=True, exist_ok=True)
    kept = given.output / "results.json"
    rows: dict[str, Row] = json.loads(kept.read_text()) if kept.exists() else {}
    clips = [clip for clip in find(given.clips, given.frames) if not given.only or clip.name in given.only]
    own = [f"{named(model)} {way}" for model in given.model for way in given.ways]
    for bpp in given.bpp:
        for clip in clips:
            for model in given.model:
                for way in given.ways:
                    name = f"{clip.name} {bpp:g} {named(model)} {way}"
                    if name not in rows:
                        begins = f"{clip.name} {bpp:g} {named(model).split('-')[0]}-"
                        known = [row["crf"] for key, row in rows.items() if key.startswith(begins)]
                        rows[name] = ours(clip, model, bpp, way, given.output, known[-1] if known else None)
                        print(name, {key: round(value, 4) for key, value in rows[name].items()}, flush=True)
                        kept.write_text(json.dumps(rows, indent=0))
            for spec in given.against:
                if (name := f"{clip.name} {bpp:g} {spec}") not in rows:
                    rows[name] = theirs(clip, spec, round(bpp * clip.pixels / 8), given.output)
                    print(name, {key: round(value, 4) for key, value in rows[name].items()}, flush=True)
                    kept.write_text(json.dumps(rows, indent=0))
        table(rows, clips, bpp, [*own, *given.against], {clip.name: clip.pixels for clip in clips})


if __name__ == "__main__":
    main()
