"""Training of hivae models: clips are coded as the codec codes them, and the painters learn what that lost.

The image path is that of a crossmodal model and stays as it is. `mean` learns by squared error. `flow` learns two things in
turn: straight lines from noise to what the mean still lacks (rectified flow), and its own one and two steps from noise,
judged by the features of SqueezeNet, which is what makes few steps enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from xvcodec.families import family
from xvcodec.models.hivae import HIVAE, Hivae
from xvcodec.models.painter import unit_of, wholes
from xvcodec.models.weights import load_model
from xvcodec.training.coded_clips import CodedClips
from xvcodec.training.data import Clips
from xvcodec.training.features import Features, rgb_of
from xvcodec.training.recipe import Recipe
from xvcodec.training.task import RGB_ERROR, Figures, Task, Texts


@dataclass(frozen=True)
class HivaeRecipe(Recipe):
    """How a hivae model is trained. `batch` counts pictures."""

    motion: ClassVar[bool] = False
    frames: int = 9  # of each clip that is coded
    pool: int = 400  # clips that are kept to draw from
    renew: int = 6  # steps from one newly coded clip to the next
    features: float = 0.5  # weight of a SqueezeNet distance against a squared error of one unit
    stay: float = 0.15  # weight of the squared error in that part


RECIPES = {
    "hivae-cpu": HivaeRecipe(HIVAE, minutes=40, batch=6, size=160, rate=1.5e-3, fall=0.4, averaging=0.995),
    "hivae": HivaeRecipe(HIVAE, minutes=25, batch=64, size=256, rate=1e-3, pool=2000, renew=1),
}


class HivaeTask(Task):
    """Pictures out of clips that are coded on the way."""

    recipe: HivaeRecipe
    model: Hivae

    def __init__(self, recipe: HivaeRecipe, model: Hivae, device: torch.device) -> None:
        super().__init__(recipe, model, device)
        for part in (model.key, model.anchor, model.amid):
            part.requires_grad_(False)
        self.coded: CodedClips | None = None
        self.features = Features(device)
        self.steps = 0

    def start(self, clips: Clips) -> None:
        """The image path is one that is trained already."""
        from xvcodec.families.hivae import IMAGES

        self.model.key.load_state_dict(load_model(IMAGES).module.key.state_dict())  # type: ignore[union-attr]

    def step(self, clips: Clips, texts: Texts, update: Callable[[], None]) -> Figures:
        """One batch of pictures for both painters."""
        recipe = self.recipe
        if self.coded is None:
            self.coded = CodedClips(self.model, family("hivae").fitted(None), recipe.pool, recipe.size, recipe.frames)
            self.coded.fill(clips, recipe.batch)
        if self.steps % recipe.renew == 0:
            self.coded.fill(clips, 1)
        self.steps += 1
        truth, decoded, q, captions = self.coded.draw(recipe.batch, clips.rng)
        text, mask = texts(captions)
        unit = unit_of(q)
        with torch.autocast(self.device.type, torch.bfloat16):
            mean = decoded + self.model.mean(decoded, q, text, mask) * unit
            missing = (truth - mean.detach()) / unit
            condition = (mean.detach(), q, text, mask)
            flow, figures = (self._lines if self.steps % 2 else self._drawn)(condition, missing, truth)
        error = ((truth - mean) / unit).square().mean()
        (error + flow).backward()
        update()
        before, after = ((truth - each.detach()).square().flatten(1).mean(1) for each in (decoded, mean))
        gain = 10 * torch.log10(before / after.clamp_min(1e-9)).mean()
        psnr = (-10 * torch.log10(RGB_ERROR * before)).mean()
        return Figures(figures | {"psnr": psnr, "gain": gain, "error": error.detach()}, recipe.size**2 * recipe.batch)

    def _lines(self, condition: tuple[Tensor, ...], missing: Tensor, truth: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Rectified flow: what is missing, seen from somewhere on the line that leads to it from noise."""
        time = torch.rand(len(missing), device=missing.device)
        along = torch.lerp(torch.randn_like(missing), missing, time[:, None, None, None])
        loss = (self.model.flow(*condition, along, time) - missing).square().mean()
        return loss, {"lines": loss.detach()}

    def _drawn(self, condition: tuple[Tensor, ...], missing: Tensor, truth: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """A picture drawn in one or two steps, as a viewer sees it."""
        state = torch.randn_like(missing)
        count = len(missing)
        if self.steps % 4:
            first = self.model.flow(*condition, state, state.new_zeros(count))
            state, time = torch.lerp(state, first, 0.5), state.new_full((count,), 0.5)
        else:
            time = state.new_zeros(count)
        detail = self.model.flow(*condition, state, time)
        mean, q = condition[0], condition[1]
        drawn, wanted = (rgb_of(*wholes(planes)) for planes in (mean + detail * unit_of(q), truth))
        seen = self.features(drawn, wanted)
        loss = self.recipe.features * seen + self.recipe.stay * (detail - missing).square().mean()
        with torch.no_grad():
            plain = self.features(rgb_of(*wholes(mean)), wanted)
        return loss, {"drawn": seen.detach(), "plain": plain}
