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

import numpy as np
import torch
from torch import Tensor

from xvcodec.models.coder import RATE_WEIGHT, nominal_step
from xvcodec.models.crossmodal import CHUNK, Crossmodal, CrossmodalConfig, Picture
from xvcodec.text.load import load_text_encoder
from xvcodec.training import parallel
from xvcodec.training.data import Batch, Clips
from xvcodec.training.sequence import Coded, run
from xvcodec.training.start import set_scales

RGB_ERROR = 1.355
"""Squared error in RGB (0 to 1) for one of the packed picture: 1.164^2, limited range BT.709."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    model: CrossmodalConfig
    minutes: float  # wall-clock limit of this run
    batch: int = 4  # clips a step
    photographs: int = 3  # photographs a step
    chunks: int = 3  # chunks of four frames in a clip
    size: int = 128  # side of the crops
    rate: float = 6e-4  # learning rate of the networks
    integer: float = 0.5  # factor for the weights of the integer scale networks
    index: float = 50.0  # factor for their biases, which count in table indices (one is 12 % of scale)
    filter: float = 5.0  # factor for the loop filters: small convolutions that see many pixels
    warm: int = 100  # steps of warm-up
    fall: float = 0.25  # share of the time in which the rate falls to 2 %
    averaging: float = 0.999  # decay of the weight average that is released
    caption_drop: float = 0.25  # share of captioned clips that train without their caption
    tail: float = 3.0  # weight of the last chunk: it stands for all later ones of a GOP of 32
    seed: int = 0


def frames_of(coded: Coded) -> Tensor:
    """How many frames each unit of a pass stands for: [key] + [anchor, frames between] of each chunk."""
    units = coded.error.shape[1]
    return torch.tensor([1.0] * (units % 2) + [1.0, CHUNK - 1.0] * (units // 2), device=coded.error.device)


def loss_of(coded: Coded, pixels: int, tail: float) -> Tensor:
    """Mean over the batch of the square root of: weighted squared error over step^2 plus RATE_WEIGHT * bits per luma pixel.

    Each picture counts by the step of its own quality. The root lets easy clips and coarse qualities count: a plain
    mean is ruled by the samples that need most bits.
    """
    units = coded.error.shape[1]
    frames = frames_of(coded)
    weight = torch.ones_like(frames)
    if units > 1:
        weight[-2:] = tail  # of the last chunk
    total = (frames * weight).sum()
    distortion = (coded.error / nominal_step(coded.quality).square() * (frames * weight)).sum(1)
    rate = (coded.bits * weight).sum(1) / pixels
    return ((distortion + RATE_WEIGHT * rate) / total).sqrt().mean()


def _factor_of(name: str, recipe: Recipe) -> float:
    if ".refiner." in name:
        return recipe.filter
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

    def __init__(self, recipe: Recipe, cache: Path, checkpoint: Path, report: Callable[[str], None],
                 device: torch.device) -> None:
        self.recipe, self.checkpoint, self.report, self.device = recipe, checkpoint, report, device
        torch.manual_seed(recipe.seed)
        self.clips = Clips(cache, recipe.seed + parallel.rank(), device)
        self.model = Crossmodal(recipe.model).to(device)
        self.encoder = load_text_encoder()
        self.optimiser = torch.optim.AdamW(groups(self.model, recipe), lr=recipe.rate, betas=(0.9, 0.98),
                                           weight_decay=0.0, fused=True)
        if device.type == "cuda":  # the steps' shapes never change, so this pays after a minute
            for coder in (self.model.key, self.model.anchor, self.model.between):
                coder.encoder.compile()
                coder.decoder.compile()
        self.step, self.minutes, self.pixels = 0, 0.0, 0
        if checkpoint.exists():
            self._load()
        else:
            set_scales(self.model, self.clips)
            parallel.broadcast(self.model)
            self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def _load(self) -> None:
        saved = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.average = saved["average"]
        try:
            self.optimiser.load_state_dict(saved["optimiser"])
        except ValueError:  # the groups have changed since: the warm-up makes new statistics
            self.report(json.dumps({"optimiser": "new"}))
        self.step, self.minutes, self.pixels = saved["step"], saved["minutes"], saved["pixels"]
        fresh = self.recipe.seed + self.step * 1000 + parallel.rank()  # not the crops of the first run again
        self.clips.rng = np.random.default_rng(fresh)
        torch.manual_seed(fresh)

    def save(self) -> None:
        """Write the checkpoint under a temporary name, then rename it; only one process of several does."""
        if parallel.rank():
            return
        partial = self.checkpoint.with_suffix(".partial")
        torch.save({"model": self.model.state_dict(), "average": self.average, "recipe": asdict(self.recipe),
                    "optimiser": self.optimiser.state_dict(), "step": self.step, "minutes": self.minutes,
                    "pixels": self.pixels}, partial)
        os.replace(partial, self.checkpoint)

    def train(self) -> None:
        """Run until the time is up (or Ctrl-C); a checkpoint every three minutes and at the end."""
        try:
            self._run()
        finally:
            self.save()

    def _run(self) -> None:
        start = saved = told = time.monotonic()
        before, first = self.minutes, self.step
        sums: dict[str, float | Tensor] = {}
        count = 0
        self.model.train()
        while (spent := (time.monotonic() - start) / 60.0) < self.recipe.minutes:
            for group in self.optimiser.param_groups:
                group["lr"] = self.recipe.rate * group["factor"] * self._factor(self.step - first, spent)
            for name, value in self._step().items():
                sums[name] = sums.get(name, 0.0) + value
            count += 1
            self.step += 1
            self.minutes = before + (time.monotonic() - start) / 60.0
            if time.monotonic() - told > 30.0:
                told = time.monotonic()
                means = {name: round(float(value) / count, 4) for name, value in sums.items()}
                self.report(json.dumps(means | {"step": self.step, "minutes": round(self.minutes, 2),
                                                "Gpx": round(self.pixels / 1e9, 4)}))
                sums, count = {}, 0
            if time.monotonic() - saved > 180.0:
                saved = time.monotonic()
                self.save()
                self.clips.refresh()

    def _factor(self, steps: int, spent: float) -> float:
        left = (self.recipe.minutes - spent) / (self.recipe.minutes * self.recipe.fall)
        return min(1.0, (steps + 1) / self.recipe.warm) * (0.02 + 0.98 * min(1.0, max(0.0, left)))

    def _text(self, batch: Batch) -> tuple[Tensor, Tensor]:
        kept = [caption if torch.rand(()) >= self.recipe.caption_drop else "" for caption in batch.captions]
        tokens, mask = self.encoder.encode_batch(kept)
        return torch.from_numpy(tokens).to(self.device), torch.from_numpy(mask).float().to(self.device)

    def _step(self) -> dict[str, Tensor]:
        """One batch of clips, window after window: each is a step of the optimiser, and begins where the last ended.

        Gradients do not pass between windows; what a window begins from is the codec's own output of frames before.
        """
        recipe = self.recipe
        photographs = self.clips.photographs(recipe.photographs, recipe.size)
        figures = {f"photo_{name}": value for name, value in self._pass(photographs, 0.15)[1].items()}
        clips = self.clips.clips(recipe.batch, recipe.chunks, recipe.size)
        text = self._text(clips)
        q = self._qualities(recipe.batch)
        before, done = None, 0
        for chunks in windows(recipe.chunks):
            part = clips.part(done, chunks)
            before, found = self._pass(part, 1.0, q, text, before)
            figures |= {f"{'clip' if done == 0 else 'later'}_{name}": value for name, value in found.items()}
            self._update()
            done += chunks
        return figures

    def _qualities(self, count: int) -> Tensor:
        return torch.rand(count, device=self.device).pow(0.8) * 63.0  # a little more often coarse

    def _pass(self, batch: Batch, share: float, q: Tensor | None = None, text: tuple[Tensor, Tensor] | None = None,
              before: Picture | None = None) -> tuple[Picture, dict[str, Tensor]]:
        """Gradients of a batch, its last picture, and its figures."""
        count, frames = batch.luma.shape[:2]
        q = self._qualities(count) if q is None else q
        with torch.autocast(self.device.type, torch.bfloat16):
            coded = run(self.model, batch.luma, batch.chroma, batch.fields, q, *(text or self._text(batch)), before)
        area = self.recipe.size**2
        loss = loss_of(coded, area, self.recipe.tail)
        (loss * share).backward()
        self.pixels += area * frames * count
        weight = frames_of(coded) / frames
        error = (coded.error.detach() * weight).sum(1)
        return coded.last.detach(), {"loss": loss.detach(), "psnr": (-10 * torch.log10(RGB_ERROR * error)).mean(),
                                     "bpp": coded.bits.detach().sum(1).mean() / area / frames}

    def _update(self) -> None:
        """A step of the optimiser with the gradients that there are, unless they are not finite."""
        parallel.average_gradients(self.model)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if math.isfinite(float(norm)):
            self.optimiser.step()
            with torch.no_grad():
                decay = min(self.recipe.averaging, (1.0 + self.step) / (10.0 + self.step))
                for name, value in self.model.state_dict().items():
                    self.average[name].lerp_(value, 1.0 - decay)
        else:
            self.report(json.dumps({"skipped": self.step}))
        self.optimiser.zero_grad()


def windows(chunks: int) -> list[int]:
    """Chunks that are trained together: the first with its key frame, then two at a time."""
    rest = chunks - 1
    return [1] + [2] * (rest // 2) + [1] * (rest % 2)
