"""Training of a crossmodal model: resumable from one file, stops itself, leaves a good checkpoint.

The learning rate warms up, stays, and falls at the end of the time given; a later run goes on from the same file with
a new warm-up, so that a model can be released at any point and still be trained further.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from xvcodec.models.coder import nominal_step
from xvcodec.models.crossmodal import CHUNK, Crossmodal, CrossmodalConfig
from xvcodec.text.load import load_text_encoder
from xvcodec.training.data import Batch, Clips
from xvcodec.training.sequence import Coded, run
from xvcodec.training.start import set_linear_paths

RATE_WEIGHT = 0.1155
"""Bits against squared error in units of the squared quantiser step: the slope of a uniform quantiser, ln(2) / 6."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    model: CrossmodalConfig
    minutes: float  # wall-clock limit of this run
    batch: int = 4  # clips a step
    photographs: int = 3  # photographs a step
    chunks: int = 2  # chunks of four frames in a clip
    size: int = 128  # side of the crops
    rate: float = 6e-4  # learning rate of the networks
    linear: float = 0.05  # factor for the linear paths: higher undoes their start
    integer: float = 0.5  # factor for the weights of the integer scale networks
    index: float = 50.0  # factor for their biases, which count in table indices (one is 12 % of scale)
    warm: int = 100  # steps of warm-up
    fall: float = 0.25  # share of the time in which the rate falls to 2 %
    averaging: float = 0.998  # decay of the weight average that is released
    caption_drop: float = 0.25  # share of captioned clips that train without their caption
    tail: float = 3.0  # weight of the last chunk: it stands for all later ones of a GOP of 32
    seed: int = 0


def loss_of(coded: Coded, q: Tensor, pixels: int, tail: float) -> Tensor:
    """Mean over the batch of the square root of: weighted squared error over step^2 plus RATE_WEIGHT * bits per luma pixel.

    The root lets easy clips and coarse qualities count: a plain mean is ruled by the samples that need most bits.
    """
    count, units = coded.error.shape
    frames = torch.tensor([1.0] + [CHUNK - 1.0, 1.0] * ((units - 1) // 2))
    weight = torch.ones(units)
    if units > 1:
        weight[-2:] = tail
    total = (frames * weight).sum()
    distortion = (coded.error * (frames * weight)).sum(1) / nominal_step(q).square()
    rate = (coded.bits * weight).sum(1) / pixels
    return ((distortion + RATE_WEIGHT * rate) / total).sqrt().mean()


def _factor_of(name: str, recipe: Recipe) -> float:
    if ".linear." in name:
        return recipe.linear
    if ".scales." not in name:
        return 1.0
    return recipe.index if name.endswith("values") else recipe.integer


def groups(model: Crossmodal, recipe: Recipe) -> list[dict[str, object]]:
    """Parameters by learning rate."""
    chosen: dict[float, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        chosen.setdefault(_factor_of(name, recipe), []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in chosen.items()]


class Trainer:
    """State of a run: model, its average, optimiser, counters."""

    def __init__(self, recipe: Recipe, cache: Path, checkpoint: Path, report: Callable[[str], None] = print) -> None:
        self.recipe, self.checkpoint, self.report = recipe, checkpoint, report
        torch.manual_seed(recipe.seed)
        self.clips = Clips(cache, recipe.seed)
        self.model = Crossmodal(recipe.model)
        self.encoder = load_text_encoder()
        self.optimiser = torch.optim.AdamW(groups(self.model, recipe), lr=recipe.rate, betas=(0.9, 0.98),
                                           weight_decay=0.0, fused=True)
        self.step, self.minutes, self.pixels = 0, 0.0, 0
        if checkpoint.exists():
            self._load()
        else:
            set_linear_paths(self.model, self.clips)
            self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def _load(self) -> None:
        saved = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.average = saved["average"]
        try:
            self.optimiser.load_state_dict(saved["optimiser"])
        except ValueError:  # the groups have changed since: the warm-up makes new statistics
            self.report(json.dumps({"optimiser": "new"}))
        self.step, self.minutes, self.pixels = saved["step"], saved["minutes"], saved["pixels"]
        self.clips.rng = type(self.clips.rng)(type(self.clips.rng.bit_generator)(self.recipe.seed + self.step))
        torch.manual_seed(self.recipe.seed + self.step)

    def save(self) -> None:
        """Write the checkpoint under a temporary name, then rename it."""
        partial = self.checkpoint.with_suffix(".partial")
        torch.save({"model": self.model.state_dict(), "average": self.average, "recipe": asdict(self.recipe),
                    "optimiser": self.optimiser.state_dict(), "step": self.step, "minutes": self.minutes,
                    "pixels": self.pixels}, partial)
        os.replace(partial, self.checkpoint)

    def train(self) -> None:
        """Run until the time is up; a checkpoint every three minutes and at the end."""
        start = saved = told = time.monotonic()
        before, first = self.minutes, self.step
        self.model.train()
        while (spent := (time.monotonic() - start) / 60.0) < self.recipe.minutes:
            for group in self.optimiser.param_groups:
                group["lr"] = self.recipe.rate * group["factor"] * self._factor(self.step - first, spent)
            figures = self._step()
            self.step += 1
            self.minutes = before + (time.monotonic() - start) / 60.0
            if time.monotonic() - told > 30.0:
                told = time.monotonic()
                figures |= {"step": self.step, "minutes": round(self.minutes, 2), "Gpx": round(self.pixels / 1e9, 4)}
                self.report(json.dumps(figures))
            if time.monotonic() - saved > 180.0:
                saved = time.monotonic()
                self.save()
                self.clips.refresh()
        self.save()

    def _factor(self, steps: int, spent: float) -> float:
        left = (self.recipe.minutes - spent) / (self.recipe.minutes * self.recipe.fall)
        return min(1.0, (steps + 1) / self.recipe.warm) * (0.02 + 0.98 * min(1.0, max(0.0, left)))

    def _text(self, batch: Batch) -> tuple[Tensor, Tensor]:
        kept = [caption if torch.rand(()) >= self.recipe.caption_drop else "" for caption in batch.captions]
        tokens, mask = self.encoder.encode_batch(kept)
        return torch.from_numpy(tokens), torch.from_numpy(mask).float()

    def _step(self) -> dict[str, float]:
        recipe = self.recipe
        figures: dict[str, float] = {}
        self.optimiser.zero_grad()
        area = recipe.size**2
        for batch, share in ((self.clips.clips(recipe.batch, recipe.chunks, recipe.size), 1.0),
                             (self.clips.photographs(recipe.photographs, recipe.size), 0.15)):
            q = torch.rand(len(batch.captions)).pow(0.8) * 63.0  # a little more often coarse
            with torch.autocast("cpu", torch.bfloat16):
                coded = run(self.model, batch.luma, batch.chroma, batch.fields, q, *self._text(batch))
            loss = loss_of(coded, q, area, recipe.tail)
            (loss * share).backward()
            frames = batch.luma.shape[1]
            self.pixels += area * frames * len(batch.captions)
            kind = "clip" if frames > 1 else "photo"
            error = (coded.error.detach() * torch.tensor([1.0] + [3.0, 1.0] * ((frames - 1) // 4))).sum(1) / frames
            figures |= {f"{kind}_loss": loss.item(),
                        f"{kind}_psnr": round(float((-10 * torch.log10(1.355 * error)).mean()), 2),
                        f"{kind}_bpp": round(float(coded.bits.detach().sum(1).mean()) / area / frames, 4)}
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if not math.isfinite(float(norm)):
            self.report(json.dumps({"skipped": self.step}))
            return figures
        self.optimiser.step()
        with torch.no_grad():
            decay = min(self.recipe.averaging, (1.0 + self.step) / (10.0 + self.step))
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1.0 - decay)
        return figures
