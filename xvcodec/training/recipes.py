"""Recipes by name, and the one function that runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from xvcodec.errors import InputError, UsageError
from xvcodec.families import FAMILIES, family
from xvcodec.training.recipe import Recipe

RECIPES: dict[str, Recipe] = {name: recipe for each in FAMILIES for name, recipe in family(each).recipes().items()}


def train(name: str, data: Path, out: Path, minutes: float | None = None, device: str = "auto",
          report: Callable[[str], None] = print, fitted: Path | None = None) -> Path:
    """Train a recipe and bake its weights.

    Args:
        name: a key of `RECIPES`.
        data: folder with `train/` and `images/`, each with an `index.jsonl` (file, caption, kind).
        out: folder for the decoded planes, the checkpoint `<recipe>.pt` (an existing one is continued) and the
            weights file.
        minutes: wall-clock limit, instead of the recipe's.
        device: "auto", "cpu" or "cuda[:N]"; under torchrun each process takes its own.
        report: gets one JSON object a line: losses, PSNR, bits a pixel, step, minutes.
        fitted: contexts and tables (a file of tools/fit_contexts.py); those of the shipped model when not given.
    Returns:
        The weights file.
    """
    from xvcodec.runtime.memory import keep_freed_memory
    from xvcodec.training import parallel
    from xvcodec.training.bake import bake
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
    recipe = RECIPES[name]
    recipe = recipe if minutes is None else replace(recipe, minutes=minutes)
    cache = out / "cache"
    if parallel.rank() == 0:
        if not (cache / "index.json").is_file():
            prepare(data, cache)
        if recipe.motion:
            search_clips(cache)
    parallel.wait()
    checkpoint = out / f"{name}.pt"
    Trainer(recipe, cache, checkpoint, report, chosen, fitted).train()
    return bake(checkpoint, out, fitted)
