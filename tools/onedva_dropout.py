"""Which prefixes the painters of onedva should be trained on: the same short training of `mean` from nothing, on GOPs of
some lengths only, measured on GOPs of all lengths of other clips.

    python tools/onedva_dropout.py runs/onedva/cache --steps 300

The cache is one that `xvc train onedva` has coded clips in. Prints a Markdown table: the gain in decibels on short, middle
and long prefixes, thirds of what was kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xvcodec.models.onedva import ONEDVA, OneDva
from xvcodec.models.painter import unit_of
from xvcodec.training.coded_clips import CodedClips
from xvcodec.training.data import Clips
from xvcodec.training.onedva import RECIPES, OnedvaTask

RATE = 1e-3
DRAWN = 8
"""Pairs of pictures of each GOP that is measured."""
Chosen = Callable[[float], bool]


def variants(notes: list[dict[str, Any]]) -> dict[str, Chosen]:
    """Which qualities, as painters are told them, each variant is trained on: the shorter a prefix, the coarser."""
    low, high = (float(edge) for edge in np.quantile([note["quality"] for note in notes], (1 / 3, 2 / 3)))
    return {"all lengths": lambda each: True, "the shortest third": lambda each: each >= high,
            "the longest third": lambda each: each <= low}


class Some(OnedvaTask):
    """Training on some of the GOPs that are coded already."""

    chosen: Chosen

    def code(self, clips: Clips) -> None:
        """They are."""

    def read(self, clips: Clips) -> CodedClips:
        """See `PainterTask`."""
        found = super().read(clips)
        found.notes = [note for note in found.notes if self.chosen(note["quality"])]
        return found


def no_text(captions: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Captions left out."""
    return torch.zeros(len(captions), 0, ONEDVA.text), torch.zeros(len(captions), 0)


def trained(clips: Clips, chosen: Chosen, steps: int) -> OneDva:
    """A model whose `mean` learned for so many steps; the rate falls to nothing over the last half."""
    torch.manual_seed(0)
    clips.rng = np.random.default_rng(0)
    task = Some(replace(RECIPES["onedva"], parts=("mean",), batch=4, size=96), OneDva(ONEDVA), torch.device("cpu"))
    task.chosen = chosen
    optimiser = torch.optim.AdamW(task.model.mean.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.0)

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(task.model.mean.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 30, 2.0 * (1.0 - step / steps))
        task.step(clips, no_text, update)
    model: OneDva = task.model.eval().requires_grad_(False)
    return model


@torch.inference_mode()
def gain(model: OneDva, kept: CodedClips, note: dict[str, Any]) -> float:
    """Gain of pictures of a GOP, decibels."""
    kept.notes = [note]
    pairs = kept.draw(DRAWN, 128, np.random.default_rng(0))
    q = pairs.quality
    with torch.autocast("cpu", torch.bfloat16):
        made = pairs.decoded + model.mean(pairs.decoded, q, *no_text(pairs.captions)) * unit_of(q)
    errors = [float((each - pairs.truth).square().mean()) for each in (pairs.decoded, made)]
    return float(10.0 * np.log10(errors[0] / errors[1]))


def main() -> None:
    """Train and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    torch.set_num_threads(1)
    clips, kept = Clips(given.cache, motion=False), CodedClips(given.cache, "onedva", kept=True)
    notes = sorted(kept.notes, key=lambda note: -note["quality"])
    print("| trained on | short | middle | long | all |\n|---|---|---|---|---|")
    for name, chosen in variants(CodedClips(given.cache, "onedva").notes).items():
        model = trained(clips, chosen, given.steps)
        found = np.array([gain(model, kept, note) for note in notes])
        cells = [float(each.mean()) for each in (*np.array_split(found, 3), found)]
        print(f"| {name} | " + " | ".join(f"{cell:+.3f} dB" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
