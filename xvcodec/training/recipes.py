"""Recipes by name, and the one function that runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from xvcodec.errors import InputError, UsageError
from xvcodec.models.crossmodal import FAST, MAIN
from xvcodec.training.loop import Recipe

RECIPES = {
    # what the shipped weights were trained with: two CPU cores shared by both models
    "crossmodal-cpu": Recipe(MAIN, minutes=80, batch=3, chunks=3, photographs=3, tail=2.5),
    "crossmodal-fast-cpu": Recipe(FAST, minutes=70, batch=4, chunks=3, photographs=3, tail=2.5),
    # one large GPU: long sequences, large crops
    "crossmodal": Recipe(MAIN, minutes=25, batch=24, chunks=5, photographs=24, size=192, tail=2.0, rate=8e-4),
    "crossmodal-fast": Recipe(FAST, minutes=20, batch=32, chunks=5, photographs=32, size=192, tail=2.0, rate=8e-4),
}


def train(name: str, data: Path, out: Path, minutes: float | None = None, device: str = "auto",
          report: Callable[[str], None] = print, fields: Path | None = None) -> Path:
    """Train a recipe and bake its weights.

    Args:
        name: a key of `RECIPES`.
        data: folder with `train/` and `images/`, each with an `index.jsonl` (file, caption, kind).
        out: folder for the decoded planes, the checkpoint `<recipe>.pt` (an existing one is continued) and the
            weights file.
        minutes: wall-clock limit, instead of the recipe's.
        device: "auto", "cpu" or "cuda[:N]"; under torchrun each process takes its own.
        report: gets one JSON object a line: losses, PSNR, bits a pixel, step, minutes.
        fields: contexts of the motion fields (tools/fit_fields.py); those of the shipped model when not given.
    Returns:
        The weights file.
    """
    from xvcodec.runtime.memory import keep_freed_memory
    from xvcodec.training import parallel
    from xvcodec.training.bake import bake, contexts_from
    from xvcodec.training.loop import Trainer
    from xvcodec.training.motion import search_clips
    from xvcodec.training.prepare import prepare

    if name not in RECIPES:
        raise UsageError(f"there is no recipe {name!r}: choose one of {', '.join(RECIPES)}")
    for folder in ("train", "images"):
        if not (data / folder / "index.jsonl").is_file():
            raise InputError(f"{data / folder} has no index.jsonl: --data must hold the folders train and images")
    keep_freed_memory()
    local = parallel.start()
    chosen = local or torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    cache = out / "cache"
    if parallel.rank() == 0:
        if not (cache / "index.json").is_file():
            prepare(data, cache)
        search_clips(cache)
    parallel.wait()
    recipe = RECIPES[name]
    recipe = recipe if minutes is None else replace(recipe, minutes=minutes)
    checkpoint = out / f"{name}.pt"
    Trainer(recipe, cache, checkpoint, report, chosen).train()
    return bake(checkpoint, out, contexts_from(fields))
