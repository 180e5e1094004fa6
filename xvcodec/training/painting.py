"""Training of painters: clips are coded by the codec itself, and the painters learn what that lost.

`mean` learns by squared error and MS-SSIM. `flow` learns straight lines from noise to what is lost (rectified flow), and
its own one and two steps from noise, judged by SqueezeNet's features and MS-SSIM, which is what makes few steps enough.
With it learns what makes hints: their bits cost, and now and then there are none. What is judged is what will be
shown: most of what is drawn and some of the mean's change, less what repeats from tile to tile.
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

from xvcodec.codec.drawing import MOST, QUARTERS
from xvcodec.codec.family import GopCodec
from xvcodec.codec.painting import Sketch, blend, without_pattern
from xvcodec.codec.session import Session
from xvcodec.codec.structure import dissimilarity
from xvcodec.families import family
from xvcodec.models.painter import unit_of, wholes
from xvcodec.models.weights import LoadedModel
from xvcodec.training.coded_clips import Coded, CodedClips, code_clips
from xvcodec.training.data import Clips
from xvcodec.training.features import Features, rgb_of
from xvcodec.training.recipe import Recipe
from xvcodec.training.task import Figures, Task, Texts
from xvcodec.training.telling import tell

LINES, TWICE = 0, 2
"""Of every eight steps of the flow one learns straight lines, one is judged after two steps, the others after one."""
ROUND = 8
NOISY = 3
"""Every so manieth step hints have noise instead of being rounded, so that small ones are heard, too."""
SHARE = MOST / QUARTERS
"""How much of what is drawn is judged: as it will mostly be shown."""
GRID = 16
"""Features are judged from anywhere within so many pixels: what is drawn shall not fit a grid that networks have."""
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
    repeats: float = 4.0  # weight of the square of what repeats from tile to tile
    hint: float = 0.06  # what a bit of hints costs for each area
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
                noisy = self.steps % NOISY == 0
                hints, cost = tell(self.model.teller, pairs, noisy, self.recipe.silent, self.device)
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
        raw = self.model.flow(*condition, state, time, hints)
        detail = without_pattern(raw)
        off = detail - missing
        stay, change = off.square().mean(), (off[1::2] - off[::2]).square().mean()
        seen, unlike = self._judged(condition, detail, truth)
        loss = self.recipe.features * seen + stay + self.recipe.change * change + self.recipe.structure * unlike
        loss = loss + self.recipe.repeats * (raw - detail).square().mean()
        name = "twice" if twice else "once"
        return loss, {f"{name}_loss": loss.detach(), f"{name}_seen": seen.detach(), f"{name}_error": stay.detach(),
                      f"{name}_change": change.detach(), f"{name}_unlike": unlike.detach()}

    def _judged(self, condition: tuple[Tensor, ...], detail: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """SqueezeNet distance and dissimilarity of one picture of each pair, as it is shown."""
        first = tuple(each[::2] for each in condition)
        unit = unit_of(first[1])
        with torch.no_grad():
            mean = first[0] + self.model.mean(*first) * unit
        shown = blend(Sketch(first[0], mean, detail[::2] * unit), SHARE)
        drawn, wanted = (shown.luma, shown.chroma), wholes(truth[::2])
        top, left = (int(each) for each in torch.randint(GRID, (2,)))
        one, other = (rgb_of(*each)[..., top:, left:] for each in (drawn, wanted))
        return self.features(one, other), dissimilarity(drawn[0], wanted[0])
