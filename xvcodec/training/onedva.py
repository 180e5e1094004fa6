"""Training the painter of `onedva` on pictures that the codec decodes from prefixes of all lengths.

First regression alone. Then every batch has three parts: a quarter regression; a quarter flow matching, with noise of any
share; and pictures that are drawn from noise in one step, as a viewer sees them, judged by squared error and by the
features of SqueezeNet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from xvcodec.models.onedva import SMALL, SPREAD, OneDva, pack, unit_of, unpack
from xvcodec.training.data import Clips
from xvcodec.training.features import Features, rgb_of
from xvcodec.training.onedva_samples import Samples, samples_of
from xvcodec.training.recipe import Recipe
from xvcodec.training.task import Figures, Task, Texts

MARGIN = 8
"""Pixels at the borders of a crop whose errors do not count: what lies beyond is not seen."""
FLOOR = 2e-5
"""Errors are weighed by those of the decoded picture, which count as at least this."""


@dataclass(frozen=True)
class OnedvaRecipe(Recipe):
    """Recipe of a painter. `batch` counts pictures, a multiple of four."""

    settle: int = 0  # steps of regression alone
    recorded: int = 120  # clips that are coded where the cache has no recorded pictures yet
    features: float = 0.6  # weight of the SqueezeNet distance of drawn pictures
    stay: float = 1.0  # weight of their squared error, over that of the decoded picture


RECIPES: Mapping[str, OnedvaRecipe] = {
    "onedva": OnedvaRecipe(SMALL, minutes=120.0, batch=12, size=128, rate=1e-3, settle=1800, fall=0.4, averaging=0.99)}


class OnedvaTask(Task):
    """See `Task`."""

    recipe: OnedvaRecipe
    model: OneDva

    def __init__(self, recipe: OnedvaRecipe, model: OneDva, device: torch.device) -> None:
        super().__init__(recipe, model, device)
        self.samples: Samples | None = None
        self.features = Features(device)
        self.steps = 0

    def step(self, clips: Clips, texts: Texts, update: Callable[[], None]) -> Figures:
        """A batch of crops of recorded pictures."""
        if self.samples is None:
            self.samples = samples_of(clips, self.recipe.recorded, self.device)
        recipe, count = self.recipe, self.recipe.batch
        *planes, level, error, which = self.samples.crops(count, recipe.size, clips.rng)
        rough, goal = pack(*planes[:2]), pack(*planes[2:])
        text, mask = texts([self.samples.captions[at] for at in which.tolist()])
        self.steps += 1
        plain, flow = (count // 4, count // 4) if self.steps > recipe.settle else (count, 0)
        with torch.no_grad():
            state, time = _states(rough, goal, unit_of(level), plain, flow)
        with torch.autocast(self.device.type, torch.bfloat16):
            made = self.model.painter(rough, state, time, level, text, mask)
        lost = _inner((made - goal).square()).mean((1, 2, 3)) / error.clamp(min=FLOOR)
        values = {"plain_loss": lost[:plain].mean()}
        loss = values["plain_loss"]
        if flow:
            drawn = slice(plain + flow, None)
            values |= {"flow_loss": lost[plain : plain + flow].mean(), "drawn_loss": lost[drawn].mean()}
            values |= self._seen(made[drawn], goal[drawn], rough[drawn])
            loss = loss + values["flow_loss"] + recipe.stay * values["drawn_loss"] + recipe.features * values["seen_loss"]
        loss.backward()
        update()
        with torch.no_grad():
            before = _inner((rough - goal).square()).mean((1, 2, 3)) / error.clamp(min=FLOOR)
            values["gain"] = -10.0 * torch.log10(lost[:plain].sum() / before[:plain].sum())
            if flow:
                values["drawn_gain"] = -10.0 * torch.log10(lost[drawn].sum() / before[drawn].sum())
        return Figures({name: value.detach() for name, value in values.items()}, count * recipe.size**2)

    def _seen(self, made: Tensor, goal: Tensor, rough: Tensor) -> dict[str, Tensor]:
        """SqueezeNet distances of drawn pictures, with gradients, and of decoded ones."""
        wanted = rgb_of(*unpack(_inner(goal)))
        seen = self.features(rgb_of(*unpack(_inner(made))), wanted)
        with torch.no_grad():
            before = self.features(rgb_of(*unpack(_inner(rough))), wanted)
        return {"seen_loss": seen, "seen_before": before}


def _states(rough: Tensor, goal: Tensor, unit: Tensor, plain: int, flow: int) -> tuple[Tensor, Tensor]:
    """What the painter starts from, and shares of noise: first without any, then on the way, the rest at its beginning."""
    time = torch.cat((torch.zeros(plain), torch.rand(flow), torch.ones(len(rough) - plain - flow))).to(rough.device)
    share = time[:, None, None, None]
    noisy = rough + unit * SPREAD * torch.randn_like(rough)
    return torch.where(share > 0, goal + share * (noisy - goal), rough), time


def _inner(packed: Tensor) -> Tensor:
    """Without the margin."""
    edge = MARGIN // 4
    return packed[:, :, edge:-edge, edge:-edge]
