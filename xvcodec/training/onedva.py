"""Training the painter of `onedva`: what the closed-form path makes of short clips at some level, against the clips.

Two kinds of batch in turn: pictures without noise (what one deterministic pass sees), and flow matching, with noise of
any share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from xvcodec.codec.onedva_progress import MIDDLE
from xvcodec.models import lifting
from xvcodec.models.lifting import Bands, Motion, Pictures
from xvcodec.models.onedva import SMALL, SPREAD, OneDva, pack, unit_of
from xvcodec.models.patches import from_tokens, to_tokens
from xvcodec.training.data import Batch, Clips
from xvcodec.training.recipe import Recipe
from xvcodec.training.task import RGB_ERROR, Figures, Task, Texts

LEVELS = (14.0, 26.0)
"""Of the pictures that are trained on: thresholds of 0.044 to 0.35."""


@dataclass(frozen=True)
class OnedvaRecipe(Recipe):
    """Recipe of a painter."""

    motion: ClassVar[bool] = True


RECIPES: Mapping[str, OnedvaRecipe] = {"onedva": OnedvaRecipe(SMALL, minutes=60.0, warm=50)}


def rough(batch: Batch, level: Tensor) -> Pictures:
    """What decoding makes of clips [N, T, ...] at levels [N], all of them one after the other, [N T, ...]."""
    made = []
    for luma, chroma, fields, one in zip(batch.luma, batch.chroma, batch.fields, level, strict=True):
        frames = luma.shape[0]
        motion = Motion(fields.float(), frames)
        anchors, between = lifting.gains(frames)
        step = float(unit_of(one[None]))
        bands = lifting.forward(Pictures(luma, chroma), motion)
        coarse = Bands([_coarse(each, 8 if number else 16, step, [anchors[number]])
                        for number, each in enumerate(bands.anchors)],
                       [None if each is None else _coarse(each, 8, step, between[chunk])
                        for chunk, each in enumerate(bands.between)])
        made.append(lifting.inverse(coarse, motion))
    return lifting.stack(made)


def _coarse(pictures: Pictures, patch: int, step: float, gains: list[float]) -> Pictures:
    """Pictures or differences as they are known once a plane of bits has been sent."""
    scale = (torch.tensor(gains, device=pictures.luma.device) / step)[:, None, None, None, None]
    values = to_tokens(*pictures.planes(), patch) * scale
    size = values.abs().floor()
    middle = torch.where(size > 1, MIDDLE[1], MIDDLE[0])
    return Pictures(*from_tokens(torch.where(size > 0, values.sign() * (size + middle), 0.0) / scale, patch))


class OnedvaTask(Task):
    """See `Task`."""

    model: OneDva

    def step(self, clips: Clips, texts: Texts, update: Callable[[], None]) -> Figures:
        """A batch of clips: half of the steps without noise, half with."""
        recipe = self.recipe
        batch = clips.clips(recipe.batch, 1, recipe.size)
        with torch.no_grad():
            count, frames = batch.luma.shape[:2]
            level = torch.empty(count, device=self.device).uniform_(*LEVELS)
            found = rough(batch, level)
            levels = level.repeat_interleave(frames)
            start = pack(found.luma, found.chroma)
            goal = pack(batch.luma.flatten(0, 1), batch.chroma.flatten(0, 1))
            unit = unit_of(levels)
            time = torch.rand(count * frames, device=self.device) * float(torch.rand(()) < 0.5)
            share = time[:, None, None, None]
            state = torch.where(share > 0, goal + share * (start - goal + unit * SPREAD * torch.randn_like(start)), start)
            text, mask = (each.repeat_interleave(frames, 0) for each in texts(batch.captions))
        with torch.autocast(self.device.type, torch.bfloat16):
            made = self.model.painter(start, state, time, levels, text, mask)
        error = ((made - goal) / unit).square().mean()
        error.backward()
        update()
        with torch.no_grad():
            gain = 10.0 * torch.log10((start - goal).square().mean() / (made - goal).square().mean())
            decibel = -10.0 * torch.log10((made - goal).square().mean() * RGB_ERROR)
        return Figures({"loss": error.detach(), "gain": gain, "psnr": decibel}, batch.luma.numel())
