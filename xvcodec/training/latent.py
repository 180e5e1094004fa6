"""Training of latent models: recipe, loss, and one batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from xvcodec.models.coder import RATE_WEIGHT
from xvcodec.models.crossmodal import pack
from xvcodec.models.latent import CHUNK, SMALL, LatentModel
from xvcodec.models.latent_stages import FLOOR, step_of
from xvcodec.training.data import Batch, Clips
from xvcodec.training.latent_start import fit
from xvcodec.training.rate import laplace_bits, noisy, quantised, rounded, scale_of, unless_skipped
from xvcodec.training.recipe import Recipe
from xvcodec.training.task import RGB_ERROR, Figures, Task, Texts


@dataclass(frozen=True)
class LatentRecipe(Recipe):
    """How a latent model is trained."""

    chunks: int = 2  # chunks of four frames in a clip, behind its first frame
    plain: float = 0.6  # share of the clips and photographs whose latents are not quantised
    stills: int = 0  # of the clips of a step, how many are photographs that stand still
    video_only: bool = False  # single pictures come from the clips, not from photographs
    linear: float = 0.05  # factor for the linear paths, which start at an optimum


RECIPES = {
    "crossmodal-latent-cpu": LatentRecipe(SMALL, minutes=45, batch=4, photographs=4, size=96, rate=1e-3, filter=3.0,
                                          averaging=0.998, fall=0.35, probes=8),
    "crossmodal-latent": LatentRecipe(SMALL, minutes=25, batch=32, photographs=32, size=192, rate=8e-4, filter=3.0),
}


@dataclass
class Pass:
    """What came of the latents of one kind."""

    error: Tensor  # [N] squared error per luma pixel
    bits: Tensor  # [N] estimated bits per luma pixel


def run(model: LatentModel, kind: str, packed: Tensor, before: Tensor | None, q: Tensor, plain: Tensor, text: Tensor,
        mask: Tensor, hard: bool = False) -> tuple[Pass, Tensor]:
    """Latents and back, differentiably.

    Latents are made for the pictures alone: rate trains the prior and the quantiser, and its gradient ends there, because
    one latent serves every quality.

    Args:
        packed: [N, 96 f, h, w].
        before: decoded latents in front of these, [N, 16, h, w]; None for none.
        q: [N] quality; plain: [N] True where the latent is left as it is (q must be 0 there).
        hard: round for the rate as well, as coding does, instead of adding noise.
    Returns:
        errors and bits, and the decoded latents.
    """
    coder = model.coder(kind)
    latent = coder.analyse(packed, text, mask)
    step = coder.step(q)
    y = latent.detach() / step
    before = torch.zeros_like(latent) if before is None else before
    z = coder.prior.hyper(y, coder.prior.expected(before, step))
    whole = rounded(z)
    with torch.autocast(y.device.type, enabled=False):
        index = coder.prior.scales(whole.float(), q)
        z_index = coder.prior.scales.hyper_indices(q)
    mean = coder.prior.means(whole, before, step, q)
    residual = y - mean
    symbols = quantised(residual, index)
    bits = unless_skipped(laplace_bits(symbols if hard else noisy(residual), scale_of(index)), index).flatten(1).sum(1)
    bits = bits + laplace_bits(whole if hard else noisy(z), scale_of(z_index)).flatten(1).sum(1)
    error = (symbols + mean) * step - latent.detach()
    decoded = latent + torch.where(plain[:, None, None, None], 0.0, error)
    pictures = coder.synthesise(decoded, q, text, mask)
    distortion = (pictures - packed).square().flatten(1).mean(1) * 1.5
    area = 64.0 * coder.frames * packed.shape[2] * packed.shape[3]
    return Pass(distortion, torch.where(plain, 0.0, bits / area)), decoded


def loss_of(coded: Pass, q: Tensor) -> Tensor:
    """Root of error plus rate, in units of what the error is about: mean over the samples."""
    step = step_of(q).square()
    return ((coded.error + RATE_WEIGHT * step * coded.bits) / (step + FLOOR**2)).sqrt().mean()


class LatentTask(Task):
    """Clips of a first frame and some chunks, and photographs; some with quantisation, some without."""

    recipe: LatentRecipe
    model: LatentModel

    def start(self, clips: Clips) -> None:
        """Fit the linear paths."""
        fit(self.model, clips)

    def compile(self) -> None:
        """The steps' shapes never change, so this pays after a minute."""
        for coder in (self.model.image, self.model.clip):
            coder.eye.compile()
            coder.brush.compile()

    def factor(self, name: str) -> float:
        """The stages at half resolution see many pixels, the linear paths begin at an optimum."""
        if ".linear." in name:
            return self.recipe.linear
        return self.recipe.filter if ".brush." in name or ".eye." in name else super().factor(name)

    def step(self, clips: Clips, texts: Texts, update: Callable[[], None]) -> Figures:
        """One batch; the first frames of its clips train with the photographs."""
        recipe = self.recipe
        batch, photographs = self._batch(clips)
        figures: dict[str, Tensor] = {}
        text = texts([*photographs.captions, *batch.captions])
        q, plain = self._qualities(recipe.photographs + recipe.batch)
        stills = pack(torch.cat((photographs.luma[:, 0], batch.luma[:, 0])),
                      torch.cat((photographs.chroma[:, 0], batch.chroma[:, 0])))
        before: Tensor | None = None
        with torch.autocast(self.device.type, torch.bfloat16):
            coded, _ = run(self.model, "image", stills, None, q, plain, *text)
        (loss_of(coded, q) * 0.3).backward()
        self._note(figures, "photo", coded, q, plain)
        text, q, plain = (text[0][recipe.photographs :], text[1][recipe.photographs :]), q[recipe.photographs :], \
            plain[recipe.photographs :]
        for chunk in range(recipe.chunks):
            span = slice(1 + chunk * CHUNK, 1 + (chunk + 1) * CHUNK)
            packed = pack(batch.luma[:, span].flatten(0, 1), batch.chroma[:, span].flatten(0, 1), CHUNK)
            with torch.autocast(self.device.type, torch.bfloat16):
                coded, decoded = run(self.model, "clip", packed, before, q, plain, *text)
            (loss_of(coded, q) / recipe.chunks).backward()
            before = decoded.detach()
            self._note(figures, "clip", coded, q, plain)
        update()
        frames = recipe.photographs + recipe.batch * (1 + recipe.chunks * CHUNK)
        return Figures(figures, recipe.size**2 * frames)

    def _batch(self, clips: Clips) -> tuple[Batch, Batch]:
        """Clips, and single pictures."""
        recipe = self.recipe
        batch = clips.clips(recipe.batch, recipe.chunks, recipe.size)
        if recipe.video_only:
            return batch, clips.clips(recipe.photographs, 0, recipe.size)
        photographs = clips.photographs(recipe.photographs + recipe.stills, recipe.size)
        for number in range(recipe.stills):
            batch.luma[number], batch.chroma[number] = photographs.luma[-1 - number], photographs.chroma[-1 - number]
            batch.captions[number] = ""
        keep = slice(0, recipe.photographs)
        return batch, Batch(photographs.luma[keep], photographs.chroma[keep], photographs.fields[keep],
                            photographs.captions[keep])

    def _qualities(self, count: int) -> tuple[Tensor, Tensor]:
        """Qualities [N], 0 where nothing is quantised, and where that is."""
        plain = torch.rand(count, device=self.device) < self.recipe.plain
        plain[0] = True
        plain[-1] = True
        return torch.where(plain, 0.0, torch.rand(count, device=self.device) * 63.0), plain

    @staticmethod
    @torch.no_grad()
    def _note(figures: dict[str, Tensor], name: str, coded: Pass, q: Tensor, plain: Tensor) -> None:
        figures[f"{name}_loss"] = loss_of(coded, q)
        figures[f"{name}_psnr"] = (-10 * torch.log10(RGB_ERROR * coded.error[plain])).mean()
        if not plain.all():
            figures[f"{name}_bpp"] = coded.bits[~plain].mean()
