"""Training of painters: clips are coded by the codec itself, and the painters learn what that lost.

`mean` learns by squared error and MS-SSIM. `flow` learns straight lines from noise to what is lost (rectified flow), and
its own one and two steps from noise, judged by SqueezeNet's features and MS-SSIM, which is what makes few steps enough.
With it learns what makes hints: their bits cost, and now and then there are none.
Pictures come in pairs of neighbours with the same noise, and what is drawn has to change from one to the other as the clip
does: flicker costs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.codec.drawing import LOOKED_AT
from xvcodec.codec.family import GopCodec
from xvcodec.codec.session import Session
from xvcodec.codec.structure import dissimilarity
from xvcodec.families import family
from xvcodec.models.painter import unit_of, wholes
from xvcodec.models.weights import LoadedModel
from xvcodec.training.coded_clips import Coded, CodedClips, Pairs, code_clips
from xvcodec.training.data import Clips
from xvcodec.training.features import Features, rgb_of
from xvcodec.training.recipe import Recipe
from xvcodec.training.task import Figures, Task, Texts

LINES, TWICE = 0, 2
"""Of every eight steps of the flow one learns straight lines, one is judged after two steps, the others after one."""
ROUND = 8
NOISY = 3
"""Every so manieth step hints have noise instead of being rounded, so that small ones are heard, too."""
NARROW = 0.2
"""Least mean size of hints that their bits are counted with."""
RENEW = 400
"""Steps after which clips that were coded meanwhile come in."""


@dataclass(frozen=True)
class PainterRecipe(Recipe):
    """How painters are trained. `batch` counts pairs of pictures."""

    motion: ClassVar[bool] = False
    parts: tuple[str, ...] = ("mean", "flow")  # which painters learn: one on each of two machines is as good
    gops: int = 100  # coded before training begins, unless the cache holds them
    features: float = 1.0  # weight of a SqueezeNet distance against a squared error of one unit
    change: float = 0.5  # weight of the squared error of changes from picture to picture
    structure: float = 10.0  # weight of the dissimilarity (MS-SSIM) of either painter's luma
    hint: float = 0.015  # what a bit of hints costs for each area
    silent: float = 0.15  # how often there are no hints


class PainterTask(Task):
    """Pictures out of clips that were coded before; a family says how they are coded and what a new model begins with."""

    recipe: PainterRecipe
    model: Any  # a `xvcodec.models.painter_steps.Painted`

    def __init__(self, recipe: PainterRecipe, model: Any, device: torch.device) -> None:
        super().__init__(recipe, model, device)
        model.requires_grad_(False)
        for part in (*recipe.parts, *(("teller",) if "flow" in recipe.parts else ())):
            getattr(model, part).requires_grad_(True)
        self.features = Features(device)
        self.steps = 0

    @abstractmethod
    def coded(self, codec: GopCodec) -> Coded:
        """How a codec of the family codes clips."""

    def code(self, clips: Clips) -> None:
        """Code as many clips as the recipe asks for."""
        name = self.model.config.family
        fitted = family(name).fitted(None)
        loaded = LoadedModel("", self.model, fitted.tables, fitted.extras, b"", Path())
        codec = Session.open(loaded, "constriction", None, "torch", "cpu").codec
        code_clips(self.coded(codec), clips, clips.cache, name, self.recipe.gops)

    def read(self, clips: Clips) -> CodedClips:
        """What is coded by now."""
        return CodedClips(clips.cache, self.model.config.family)

    def step(self, clips: Clips, texts: Texts, update: Callable[[], None]) -> Figures:
        """One batch for each painter that learns."""
        if self.steps == 0:
            self.code(clips)
        if self.steps % RENEW == 0:
            self.pictures = self.read(clips)
        pairs = self.pictures.draw(self.recipe.batch, self.recipe.size, clips.rng)
        truth, decoded, q = (each.to(self.device) for each in (pairs.truth, pairs.decoded, pairs.quality))
        condition = (decoded, q, *texts(pairs.captions))
        figures = {"rough": ((truth - decoded) / unit_of(q)).square().mean()}
        with torch.autocast(self.device.type, torch.bfloat16):
            if "mean" in self.recipe.parts:
                loss, found = self._mean(condition, truth)
                loss.backward()
                figures |= found
            if "flow" in self.recipe.parts:
                hints, cost = self._hints(pairs)
                loss, found = self._flow(condition, truth, hints)
                (loss + self.recipe.hint * cost).backward()
                figures |= found | {"hint_bits": cost.detach()}
        update()
        self.steps += 1
        return Figures(figures, self.recipe.size**2 * len(q))

    def _mean(self, condition: tuple[Tensor, ...], truth: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean prediction."""
        decoded, q = condition[:2]
        mean = decoded + self.model.mean(*condition) * unit_of(q)
        error, unlike = ((truth - mean) / unit_of(q)).square().mean(), dissimilarity(wholes(mean)[0], wholes(truth)[0])
        return error + self.recipe.structure * unlike, {"mean_loss": error.detach(), "mean_unlike": unlike.detach()}

    def _hints(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Hints of both pictures of each pair [2 N, C, h, w], and their bits for an area, about."""
        q = pairs.quality[::2].repeat_interleave(LOOKED_AT).to(self.device)
        truth, decoded = pairs.looks_truth.to(self.device), pairs.looks_decoded.to(self.device)
        values = self.model.teller(truth, decoded, unit_of(q))
        values = values.view(-1, LOOKED_AT, *values.shape[1:]).mean(1)
        noisy = values + torch.rand_like(values) - 0.5
        cost = laplace_bits(noisy, values.abs().mean((0, 2, 3), keepdim=True).detach())
        whole = values + (values.round() - values).detach() if self.steps % NOISY else noisy
        told = whole * (torch.rand(len(whole), 1, 1, 1, device=self.device) >= self.recipe.silent)
        return told.repeat_interleave(2, dim=0), cost

    def _flow(self, condition: tuple[Tensor, ...], truth: Tensor, hints: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Lines, or what is drawn."""
        missing = (truth - condition[0]) / unit_of(condition[1])
        return (self._lines if self.steps % ROUND == LINES else self._drawn)(condition, missing, truth, hints)

    def _lines(self, condition: tuple[Tensor, ...], missing: Tensor, truth: Tensor,
               hints: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Rectified flow: what is missing, seen from somewhere on the line that leads to it from noise."""
        time = torch.rand(len(missing), device=missing.device)
        along = torch.lerp(torch.randn_like(missing), missing, time[:, None, None, None])
        loss = F.mse_loss(self.model.flow(*condition, along, time, hints), missing)
        return loss, {"lines_loss": loss.detach()}

    def _drawn(self, condition: tuple[Tensor, ...], missing: Tensor, truth: Tensor,
               hints: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """A picture drawn in one or two steps, as a viewer sees it."""
        count = len(missing)
        state = torch.randn_like(missing[::2]).repeat_interleave(2, dim=0)  # the same for both pictures of a pair
        time = state.new_zeros(count)
        twice = self.steps % ROUND == TWICE
        if twice:
            with torch.no_grad():
                state, time = torch.lerp(state, self.model.flow(*condition, state, time, hints), 0.5), time + 0.5
        detail = self.model.flow(*condition, state, time, hints)
        decoded, q = condition[:2]
        drawn, wanted = (wholes(planes[::2]) for planes in (decoded + detail * unit_of(q), truth))  # one of each pair
        seen, unlike = self.features(rgb_of(*drawn), rgb_of(*wanted)), dissimilarity(drawn[0], wanted[0])
        off = detail - missing
        stay, change = off.square().mean(), (off[1::2] - off[::2]).square().mean()
        loss = self.recipe.features * seen + stay + self.recipe.change * change + self.recipe.structure * unlike
        name = "twice" if twice else "once"
        return loss, {f"{name}_loss": loss.detach(), f"{name}_seen": seen.detach(), f"{name}_error": stay.detach(),
                      f"{name}_change": change.detach(), f"{name}_unlike": unlike.detach()}


def laplace_bits(values: Tensor, width: Tensor) -> Tensor:
    """What whole numbers would cost that are at most half off from `values` [N, C, h, w]: bits for an area, all C of them,
    with Laplace distributions of mean size `width`."""
    above, below = (_laplace_below((values + side) / width.clamp_min(NARROW)) for side in (0.5, -0.5))
    return -(above - below).clamp_min(1e-6).log2().sum(1).mean()


def _laplace_below(x: Tensor) -> Tensor:
    """Share of a Laplace distribution of mean size 1 below x, less one half."""
    return -0.5 * torch.sign(x) * torch.expm1(-x.abs())
