"""Training of hivae models: clips are coded by the codec itself, and the painters learn what that lost.

Image path and loop filters are those of a crossmodal model and stay as they are. `mean` learns by squared error and
MS-SSIM. `flow` learns two things in turn: straight lines from noise to what the mean still lacks (rectified flow), and its
own one and two steps from noise, judged by SqueezeNet's features and MS-SSIM, which is what makes few steps enough.
Pictures come in pairs of neighbours with the same noise, and what is drawn has to change from one to the other as the clip
does: flicker costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.families import family
from xvcodec.models.crossmodal import Crossmodal
from xvcodec.models.hivae import HIVAE, Hivae
from xvcodec.models.painter import unit_of, wholes
from xvcodec.models.weights import LoadedModel, load_model
from xvcodec.training.coded_clips import CodedClips, code_clips
from xvcodec.training.data import Clips
from xvcodec.training.features import Features, rgb_of
from xvcodec.training.recipe import Recipe
from xvcodec.training.structure import dissimilarity
from xvcodec.training.task import Figures, Task, Texts

LINES, TWICE = 0, 1
"""Of every four steps one is judged after two steps of the flow and the others after one; at first one learns lines."""
RENEW = 400
"""Steps after which clips that were coded meanwhile come in."""


@dataclass(frozen=True)
class HivaeRecipe(Recipe):
    """How a hivae model is trained. `batch` counts pairs of pictures."""

    motion: ClassVar[bool] = False
    lines: int = 200  # steps of a run in which one of four learns lines: later they would pull against what is drawn
    gops: int = 100  # coded before training begins, unless the cache holds them
    features: float = 1.0  # weight of a SqueezeNet distance against a squared error of one unit
    change: float = 1.0  # weight of the squared error of changes from picture to picture
    structure: float = 10.0  # weight of the dissimilarity (MS-SSIM) of either painter's luma


RECIPES = {
    "hivae-cpu": HivaeRecipe(HIVAE, minutes=60, batch=6, size=128, rate=1e-3, fall=0.4, averaging=0.99),
    "hivae": HivaeRecipe(HIVAE, minutes=25, batch=64, size=256, rate=1e-3, gops=1000),
}


class HivaeTask(Task):
    """Pictures out of clips that were coded before."""

    recipe: HivaeRecipe
    model: Hivae

    def __init__(self, recipe: HivaeRecipe, model: Hivae, device: torch.device) -> None:
        super().__init__(recipe, model, device)
        for part in (model.key, model.anchor, model.amid):
            part.requires_grad_(False)
        self.features = Features(device)
        self.steps = 0

    def start(self, clips: Clips) -> None:
        """The image path and the loop filters are some that are trained already."""
        from xvcodec.families.hivae import IMAGES

        trained = load_model(IMAGES).module
        assert isinstance(trained, Crossmodal)
        self.model.key.load_state_dict(trained.key.state_dict())
        for part, other in ((self.model.anchor, trained.anchor), (self.model.amid, trained.between)):
            assert part.refiner is not None and other.refiner is not None
            part.refiner.load_state_dict(other.refiner.state_dict())

    def step(self, clips: Clips, texts: Texts, update: Callable[[], None]) -> Figures:
        """One batch: for the mean prediction every other time, for the flow always."""
        if self.steps == 0:
            fitted = family("hivae").fitted(None)
            code_clips(LoadedModel("", self.model, fitted.tables, fitted.extras, b"", Path()), clips, clips.cache,
                       self.recipe.gops)
        if self.steps % RENEW == 0:
            self.coded = CodedClips(clips.cache)
        pairs = self.coded.draw(self.recipe.batch, self.recipe.size, clips.rng)
        truth, decoded, q = (each.to(self.device) for each in (pairs.truth, pairs.decoded, pairs.quality))
        text, mask = texts(pairs.captions)
        unit = unit_of(q)
        with torch.autocast(self.device.type, torch.bfloat16):
            with torch.set_grad_enabled(self.steps % 2 == 0):
                mean = decoded + self.model.mean(decoded, q, text, mask) * unit
            error = ((truth - mean) / unit).square().mean()
            alike = dissimilarity(wholes(mean)[0], wholes(truth)[0])
            missing = (truth - mean.detach()) / unit
            condition = (mean.detach(), q, text, mask)
            draw = self._lines if self.steps % 4 == LINES and self.steps < self.recipe.lines else self._drawn
            loss, figures = draw(condition, missing, truth)
        (loss + error + self.recipe.structure * alike if error.requires_grad else loss).backward()
        update()
        self.steps += 1
        before = ((truth - decoded) / unit).square().mean()
        lost = {"rough": before, "mean_loss": error.detach(), "mean_unlike": alike.detach()}
        return Figures(figures | lost, self.recipe.size**2 * len(q))

    def _lines(self, condition: tuple[Tensor, ...], missing: Tensor, truth: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Rectified flow: what is missing, seen from somewhere on the line that leads to it from noise."""
        time = torch.rand(len(missing), device=missing.device)
        along = torch.lerp(torch.randn_like(missing), missing, time[:, None, None, None])
        loss = F.mse_loss(self.model.flow(*condition, along, time), missing)
        return loss, {"lines_loss": loss.detach()}

    def _drawn(self, condition: tuple[Tensor, ...], missing: Tensor, truth: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """A picture drawn in one or two steps, as a viewer sees it."""
        count = len(missing)
        state = torch.randn_like(missing[::2]).repeat_interleave(2, dim=0)  # the same for both pictures of a pair
        time = state.new_zeros(count)
        if self.steps % 4 == TWICE:
            with torch.no_grad():
                state, time = torch.lerp(state, self.model.flow(*condition, state, time), 0.5), time + 0.5
        detail = self.model.flow(*condition, state, time)
        mean, q = condition[0], condition[1]
        drawn, wanted = (wholes(planes[::2]) for planes in (mean + detail * unit_of(q), truth))  # one of each pair
        seen, unlike = self.features(rgb_of(*drawn), rgb_of(*wanted)), dissimilarity(drawn[0], wanted[0])
        off = detail - missing
        stay, change = off.square().mean(), (off[1::2] - off[::2]).square().mean()
        loss = self.recipe.features * seen + stay + self.recipe.change * change + self.recipe.structure * unlike
        name = "twice" if self.steps % 4 == TWICE else "once"
        return loss, {f"{name}_loss": loss.detach(), f"{name}_seen": seen.detach(), f"{name}_error": stay.detach(),
                      f"{name}_change": change.detach(), f"{name}_unlike": unlike.detach()}
