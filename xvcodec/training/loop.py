"""Training of any model: resumable from one file, stops itself, leaves a good checkpoint.

The learning rate warms up, stays, and falls at the end of the time given; a later run goes on from the same file with
a new warm-up, so that a model can be released at any point and still be trained further.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xvcodec.families import family
from xvcodec.text.load import load_text_encoder
from xvcodec.training import parallel
from xvcodec.training.data import Clips
from xvcodec.training.probe import probe
from xvcodec.training.recipe import Recipe
from xvcodec.training.task import Task

__all__ = ["Recipe", "Trainer"]


def groups(task: Task) -> list[dict[str, object]]:
    """Parameters by learning rate."""
    chosen: dict[float, list[Tensor]] = {}
    for name, parameter in task.model.named_parameters():
        chosen.setdefault(task.factor(name), []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in chosen.items()]


class Trainer:
    """State of a run: model, its average, optimiser, counters."""

    def __init__(self, recipe: Recipe, cache: Path, checkpoint: Path, report: Callable[[str], None],
                 device: torch.device, fitted: Path | None = None) -> None:
        self.recipe, self.checkpoint, self.report, self.device = recipe, checkpoint, report, device
        torch.manual_seed(recipe.seed)
        self.family = family(recipe.model.family)
        self.model = self.family.build(recipe.model).to(device)
        self.task = self.family.task(recipe, self.model, device, fitted)
        self.clips = Clips(cache, recipe.seed + parallel.rank(), device, recipe.motion)
        self.encoder = load_text_encoder()
        self.optimiser = torch.optim.AdamW(groups(self.task), lr=recipe.rate, betas=(0.9, 0.98),
                                           weight_decay=0.0, fused=True)
        if device.type == "cuda":
            self.task.compile()
        self.step, self.minutes, self.pixels = 0, 0.0, 0
        self.processor = 0.0  # minutes of this process's own time, which other work on the machine does not lengthen
        self.norm = 0.0  # usual size of the gradient: one far above it would upset what many steps have learned
        if checkpoint.exists():
            self._load()
        else:
            self.task.start(self.clips)
            parallel.broadcast(self.model)
            self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            torch.manual_seed(recipe.seed)  # models of other sizes see the same noise and qualities

    def _load(self) -> None:
        saved = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.average = saved["average"]
        try:
            self.optimiser.load_state_dict(saved["optimiser"])
        except ValueError:  # the groups have changed since: the warm-up makes new statistics
            self.report(json.dumps({"optimiser": "new"}))
        self.step, self.minutes, self.pixels = saved["step"], saved["minutes"], saved["pixels"]
        self.processor = saved.get("processor", 0.0)
        fresh = self.recipe.seed + self.step * 1000 + parallel.rank()  # not the crops of the first run again
        self.clips.rng = np.random.default_rng(fresh)
        torch.manual_seed(fresh)

    def save(self) -> None:
        """Write the checkpoint under a temporary name, then rename it; only one process of several does."""
        if parallel.rank():
            return
        partial = self.checkpoint.with_suffix(".partial")
        torch.save({"model": self.model.state_dict(), "average": self.average, "recipe": asdict(self.recipe),
                    "family": self.recipe.model.family,
                    "optimiser": self.optimiser.state_dict(), "step": self.step, "minutes": self.minutes,
                    "pixels": self.pixels, "processor": self.processor}, partial)
        os.replace(partial, self.checkpoint)

    def train(self) -> None:
        """Run until the time is up (or Ctrl-C); a checkpoint every three minutes and at the end."""
        try:
            self._run()
        finally:
            self.save()

    def _run(self) -> None:
        start = saved = told = time.monotonic()
        before, first, own = self.minutes, self.step, self.processor - time.process_time() / 60.0
        sums: dict[str, list[Tensor]] = {}
        count = 0
        self.model.train()
        self._probe()
        while (left := self._left(self.step - first, (time.monotonic() - start) / 60.0)) > 0.0:
            for group in self.optimiser.param_groups:
                group["lr"] = self.recipe.rate * group["factor"] * self._factor(self.step - first, left)
            figures = self.task.step(self.clips, self._texts, self._update)
            self.pixels += figures.pixels
            for name, value in figures.values.items():
                sums.setdefault(name, []).append(value)
            count += 1
            self.step += 1
            self.minutes = before + (time.monotonic() - start) / 60.0
            self.processor = own + time.process_time() / 60.0
            if time.monotonic() - told > 30.0:
                told = time.monotonic()
                self._tell(sums, count)
                sums, count = {}, 0
            if time.monotonic() - saved > 180.0:
                saved = time.monotonic()
                self.save()
                self.clips.refresh()
                self._probe()
        self._probe()

    def _tell(self, sums: dict[str, list[Tensor]], count: int, prefix: str = "") -> None:
        """Means of some figures, and where the run is."""
        means = {prefix + name: round(float(torch.stack(values).mean()), 4) for name, values in sums.items()}
        self.report(json.dumps(means | {"steps": count, "step": self.step, "minutes": round(self.minutes, 2),
                                        "processor": round(self.processor, 2), "Gpx": round(self.pixels / 1e9, 4)}))

    def _probe(self) -> None:
        if self.recipe.probes:
            self._tell(probe(self.task, self.average, self.clips, self._texts, self.optimiser.zero_grad,
                             self.recipe.probes), 1, "probe_")

    def _left(self, steps: int, spent: float) -> float:
        """Share of this run that is still to come, after so many steps and minutes of it."""
        left = 1.0 - spent / self.recipe.minutes
        return min(left, 1.0 - steps / self.recipe.steps) if self.recipe.steps else left

    def _factor(self, steps: int, left: float) -> float:
        return min(1.0, (steps + 1) / self.recipe.warm) * (0.02 + 0.98 * min(1.0, left / self.recipe.fall))

    def _texts(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        kept = [caption if torch.rand(()) >= self.recipe.caption_drop else "" for caption in captions]
        tokens, mask = self.encoder.encode_batch(kept)
        return torch.from_numpy(tokens).to(self.device), torch.from_numpy(mask).float().to(self.device)

    def _update(self) -> None:
        """A step of the optimiser with the gradients that there are, unless they are not finite."""
        parallel.average_gradients(self.model)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2.0 * (self.norm or math.inf)))
        if math.isfinite(norm):
            self.norm += (min(norm, 3.0 * (self.norm or norm)) - self.norm) * (0.02 if self.norm else 1.0)
            self.optimiser.step()
            with torch.no_grad():
                decay = min(self.recipe.averaging, (1.0 + self.step) / (10.0 + self.step))
                for name, value in self.model.state_dict().items():
                    self.average[name].lerp_(value, 1.0 - decay)
        else:
            self.report(json.dumps({"skipped": self.step}))
        self.optimiser.zero_grad()
