"""Which prefixes the painter of onedva should be trained on: the same short regression from nothing, on pictures of some
lengths only, measured on pictures of all lengths of other clips.

    python tools/onedva_dropout.py runs/onedva/cache --steps 300

The cache holds recorded pictures (`tools/record_tokens.py`). The last ones are kept for measuring. Prints a Markdown
table: the gain in decibels on short, middle and long prefixes, thirds of what was kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xvcodec.models.onedva import OneDva, pack
from xvcodec.training.data import Clips
from xvcodec.training.onedva import RECIPES, OnedvaTask
from xvcodec.training.onedva_samples import LEVELS, Samples, samples_of

KEPT = 192
"""Pictures for measuring: the last twelve clips."""
RATE = 1e-3
Chosen = Callable[[Tensor], Tensor]


def variants(level: Tensor) -> dict[str, Chosen]:
    """Which levels each variant is trained on."""
    low, high = (float(level.quantile(share)) for share in (1 / 3, 2 / 3))
    return {"all lengths": lambda each: each > -1.0, "the shortest third": lambda each: each >= high,
            "the longest third": lambda each: each <= low}


def part(samples: Samples, which: Tensor) -> Samples:
    """Some of the pictures."""
    arrays = {name: value[which] for name, value in vars(samples).items() if isinstance(value, Tensor)}
    return Samples(**arrays, captions=[samples.captions[at] for at in which.tolist()])


def trained(samples: Samples, steps: int) -> OneDva:
    """A painter after so many steps of regression; the rate falls to nothing over the last half."""
    torch.manual_seed(0)
    recipe = replace(RECIPES["onedva"], batch=8, size=96, settle=steps + 1)
    model = OneDva(recipe.model)
    task = OnedvaTask(recipe, model, torch.device("cpu"))
    task.samples = samples
    optimiser = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.0)
    clips = Crops()

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 30, 2.0 * (1.0 - step / steps))
        task.step(clips, lambda captions: (torch.zeros(len(captions), 0, 96), torch.zeros(len(captions), 0)), update)
    return model.eval().requires_grad_(False)


class Crops(Clips):
    """What the task needs of clips where pictures are recorded already: a seeded generator."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)


@torch.inference_mode()
def gains(model: OneDva, kept: Samples) -> Tensor:
    """Gain of each picture, decibels."""
    found = []
    for at in range(len(kept)):
        here = slice(at, at + 1)
        rough = pack(kept.luma[here].float(), kept.chroma[here].float())
        goal = pack(kept.source_luma[here] / LEVELS - 0.5, kept.source_chroma[here] / LEVELS - 0.5)
        with torch.autocast("cpu", torch.bfloat16):
            made = model.painter(rough, rough, torch.zeros(1), kept.level[here], torch.zeros(1, 0, 96), torch.zeros(1, 0))
        found.append(10.0 * torch.log10((rough - goal).square().mean() / (made - goal).square().mean()))
    return torch.stack(found)


def main() -> None:
    """Train and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    torch.set_num_threads(1)
    every = samples_of(Clips(given.cache, motion=False), 0, torch.device("cpu"))
    numbers = torch.arange(len(every))
    own, kept = part(every, numbers[:-KEPT]), part(every, numbers[-KEPT::4])
    order = kept.level.argsort(descending=True).tensor_split(3)
    print("| trained on | short | middle | long | all |\n|---|---|---|---|---|")
    for name, chosen in variants(own.level).items():
        found = gains(trained(part(own, chosen(own.level).nonzero()[:, 0]), given.steps), kept)
        cells = [float(found[each].mean()) for each in (*order, slice(None))]
        print(f"| {name} | " + " | ".join(f"{cell:+.3f} dB" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
