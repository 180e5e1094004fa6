"""Training of crossmodal models: recipes, loss, and one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from xvcodec.codec.coefficient_contexts import CoefficientContexts
from xvcodec.models.coder import RATE_WEIGHT, nominal_step
from xvcodec.models.crossmodal import CHUNK, FAST, MAIN, Crossmodal
from xvcodec.training.contexts import batch_contexts
from xvcodec.training.data import Batch, Clips
from xvcodec.training.recipe import Recipe
from xvcodec.training.sequence import Coded, State, run
from xvcodec.training.start import set_context
from xvcodec.training.task import RGB_ERROR, Figures, Task, Texts


@dataclass(frozen=True)
class CrossmodalRecipe(Recipe):
    """How a crossmodal model is trained."""

    motion: ClassVar[bool] = True
    chunks: int = 3  # chunks of four frames in a clip
    tail: float = 3.0  # weight of the last chunk: it stands for all later ones of a GOP of 32


RECIPES = {
    # two CPU cores, one a model
    "crossmodal-cpu": CrossmodalRecipe(MAIN, minutes=100, batch=3, chunks=3, photographs=4, tail=2.5, rate=4e-4,
                                       filter=2.5, fall=0.4),
    "crossmodal-fast-cpu": CrossmodalRecipe(FAST, minutes=100, batch=4, chunks=3, photographs=4, tail=2.5, rate=4e-4,
                                            filter=2.5, fall=0.4),
    # one large GPU: long sequences, large crops
    "crossmodal": CrossmodalRecipe(MAIN, minutes=25, batch=24, chunks=5, photographs=24, size=192, tail=2.0, rate=8e-4),
    "crossmodal-fast": CrossmodalRecipe(FAST, minutes=20, batch=32, chunks=5, photographs=32, size=192, tail=2.0,
                                        rate=8e-4),
}


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


class CrossmodalTask(Task):
    """Clips coded as the codec will code them, window after window, and photographs."""

    recipe: CrossmodalRecipe
    model: Crossmodal

    def __init__(self, recipe: CrossmodalRecipe, model: Crossmodal, device: torch.device,
                 latents: Mapping[str, CoefficientContexts]) -> None:
        super().__init__(recipe, model, device)
        self.contexts = batch_contexts(latents, device)

    def start(self, clips: Clips) -> None:
        """The context begins as real pictures have it."""
        set_context(self.model.key, clips)

    def compile(self) -> None:
        """The steps' shapes never change, so this pays after a minute."""
        networks = [self.model.key.encoder, self.model.key.decoder,
                    *(coder.refiner for coder in (self.model.key, self.model.anchor, self.model.between))]
        for network in networks:
            if network is not None:
                network.compile()

    def step(self, clips: Clips, texts: Texts, update: Callable[[], None]) -> Figures:
        """One batch of clips, window after window: each is a step of the optimiser, and begins where the last ended.

        Gradients do not pass between windows; what a window begins from is the codec's own output of frames before.
        """
        recipe = self.recipe
        photographs = clips.photographs(recipe.photographs, recipe.size)
        found = self._pass(photographs, 0.15, self._qualities(recipe.photographs), texts(photographs.captions))[1]
        figures = {f"photo_{name}": value for name, value in found.items()}
        batch = clips.clips(recipe.batch, recipe.chunks, recipe.size)
        text = texts(batch.captions)
        q = self._qualities(recipe.batch)
        before, done = None, 0
        for chunks in windows(recipe.chunks):
            part = batch.part(done, chunks)
            before, found = self._pass(part, 1.0, q, text, before)
            figures |= {f"{'clip' if done == 0 else 'later'}_{name}": value for name, value in found.items()}
            update()
            done += chunks
        frames = recipe.photographs + recipe.batch * (1 + recipe.chunks * CHUNK)
        return Figures(figures, recipe.size**2 * frames)

    def _qualities(self, count: int) -> Tensor:
        return torch.rand(count, device=self.device).pow(0.8) * 63.0  # a little more often coarse

    def _pass(self, batch: Batch, share: float, q: Tensor, text: tuple[Tensor, Tensor],
              before: State | None = None) -> tuple[State, dict[str, Tensor]]:
        """Gradients of a batch, what it leaves behind, and its figures."""
        frames = batch.luma.shape[1]
        with torch.autocast(self.device.type, torch.bfloat16):
            coded = run(self.model, self.contexts, batch.luma, batch.chroma, batch.fields, q, *text, before)
        area = self.recipe.size**2
        loss = loss_of(coded, area, self.recipe.tail)
        (loss * share).backward()
        weight = frames_of(coded) / frames
        error = (coded.error.detach() * weight).sum(1)
        return coded.last.detach(), {"loss": loss.detach(), "psnr": (-10 * torch.log10(RGB_ERROR * error)).mean(),
                                     "bpp": coded.bits.detach().sum(1).mean() / area / frames}


def windows(chunks: int) -> list[int]:
    """Chunks that are trained together: the first with its key frame, then two at a time."""
    rest = chunks - 1
    return [1] + [2] * (rest // 2) + [1] * (rest % 2)
