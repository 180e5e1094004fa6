"""The Cross-modal Video VAE's claims on `crossmodal-latent`, each switched off at equal compute, with one command:

    python tools/ablation_study.py --data ../shared/data -o runs/ablation --steps 1000

Every variant starts from the same fitted linear path and sees the same crops in as many steps; what is left of a variant
without one part is widened until it costs about as many multiplications. Each is then measured on the validation clips:
PSNR-RGB and SSIM without quantisation (also of first frames alone, and of the 24 photographs kept out of training), and
bits at equal PSNR against the first variant. Writes `table.md` and a JSON a variant; what is finished is not run again.
The logs are those of training (`tools/learning_curve.py` reads them).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from latent_study import study

from xvcodec import EncodeOptions
from xvcodec.models.cost import kmac_per_pixel
from xvcodec.models.latent import SMALL, LatentModel
from xvcodec.rd.bd import Curve, compare_curves
from xvcodec.runtime.memory import keep_freed_memory
from xvcodec.training.bake import bake
from xvcodec.training.latent import RECIPES, LatentRecipe
from xvcodec.training.loop import Trainer
from xvcodec.training.prepare import held_out, prepare

BASE = RECIPES["crossmodal-latent-cpu"]
CRFS = (14.0, 28.0, 40.0, 50.0)
VARIANTS: dict[str, tuple[str, LatentRecipe]] = {
    "base": ("as it ships", BASE),
    "again": ("the same, other seed", replace(BASE, seed=1)),
    "plain": ("plain spatial stage: each frame alone",
              replace(BASE, model=replace(SMALL, together=False, eye=(16, 56), brush=(32, 148)))),
    "one-stage": ("no separate temporal stage, spatial stage larger",
                  replace(BASE, model=replace(SMALL, temporal=False, eye=(16, 64), brush=(32, 68), strokes=(3, 4)))),
    "no-text": ("trained and measured without captions", replace(BASE, caption_drop=1.0)),
    "video": ("video only: single pictures are frames of clips", replace(BASE, video_only=True)),
    "stills": ("photographs teach the clips' networks too: one clip of four stands still", replace(BASE, stills=1)),
}


def train(name: str, recipe: LatentRecipe, cache: Path, out: Path) -> Path:
    """Weights of a variant; training that was cut off begins anew, because its rate depends on the steps left."""
    done, partial, log = (out / f"{name}{suffix}" for suffix in (".pt", ".part.pt", ".jsonl"))
    if not done.exists():
        partial.unlink(missing_ok=True)
        with open(log, "w") as sink:
            Trainer(recipe, cache, partial, lambda line: print(line, file=sink, flush=True), torch.device("cpu")).train()
        os.replace(partial, done)
    (out / name).mkdir(exist_ok=True)
    return next((out / name).glob("*.safetensors"), None) or bake(done, out / name)


def measure(weights: Path, text: bool, data: Path, frames: int) -> dict[str, Any]:
    """Figures of one variant, clip by clip."""
    options = EncodeOptions(model=str(weights), audio=False)
    found: dict[str, Any] = {"clips": {}, "first": [], "photographs": []}
    for line in (data / "val" / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        prompted = replace(options, prompt=row.get("caption") if text else None)
        found["clips"][row["file"]] = study(data / "val" / row["file"], prompted, frames, list(CRFS))
        found["first"].append(study(data / "val" / row["file"], prompted, 1, []))
    names = sorted(json.loads(line)["file"] for line in (data / "images" / "index.jsonl").read_text().splitlines())
    found["photographs"] = [study(path, options, 1, []) for path in held_out([data / "images" / name for name in names])]
    return found


def cost(recipe: LatentRecipe) -> tuple[float, float, float]:
    """kMAC a pixel to encode and to decode, and millions of weights."""
    model = LatentModel(recipe.model)
    count = kmac_per_pixel(model)
    return count.encode, count.decode, sum(weight.numel() for weight in model.parameters()) / 1e6


def curves(found: dict[str, Any]) -> dict[str, Curve]:
    """Bits a pixel and PSNR-RGB of every clip."""
    return {clip: Curve.of(row[3::2], row[2::2]) for clip, row in found["clips"].items()}


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown: a line for each variant that is measured."""
    heads = ("variant", "PSNR-RGB / SSIM", "against the first, dB by clip", "first frames", "photographs",
             "bits at equal PSNR", "kMAC/pixel", "minutes")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    first = next(iter(results.values()))
    for name, found in results.items():
        clips, base = (np.array(list(one["clips"].values())) for one in (found, first))
        gain = clips[:, 0] - base[:, 0]
        rate = compare_curves(curves(first), curves(found), "higher")["rate"] if found is not first else None
        bits = f"{rate['mean']:+.1f} % ({rate['low']:+.1f} .. {rate['high']:+.1f})" if rate else ""
        against = f"{gain.mean():+.3f} ({gain.min():+.3f} .. {gain.max():+.3f})" if found is not first else ""
        cells = (VARIANTS[name][0], f"{clips[:, 0].mean():.3f} dB / {clips[:, 1].mean():.4f}", against,
                 *(f"{np.mean(found[kind], axis=0)[0]:.3f} dB" for kind in ("first", "photographs")), bits,
                 "{:.1f} / {:.1f}".format(*found["cost"]), f"{found['minutes']:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train, images and val")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--cache", type=Path, help="decoded clips, made when not there (default: in the output folder)")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=9, help="of each validation clip, in GOPs of 32")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    given.output.mkdir(parents=True, exist_ok=True)
    cache = given.cache or given.output / "cache"
    if not (cache / "index.json").is_file():
        prepare(given.data, cache)
    results = {}
    for name in given.only:
        report = given.output / f"{name}.json"
        recipe = replace(VARIANTS[name][1], steps=given.steps, minutes=24 * 60.0)
        if not report.exists():
            start = time.process_time()
            weights = train(name, recipe, cache, given.output)
            minutes = (time.process_time() - start) / 60.0
            found = measure(weights, recipe.caption_drop < 1.0, given.data, given.frames)
            report.write_text(json.dumps(found | {"cost": cost(recipe), "minutes": minutes}))
        results[name] = json.loads(report.read_text())
        (given.output / "table.md").write_text(table(results) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
