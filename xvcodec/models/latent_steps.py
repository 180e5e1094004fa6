"""The latent model as pure functions: five steps for each kind of latent frame, `image` and `clip`.

    analyse     pictures and caption -> latent, unquantised
    reduce      latent and the latent before -> what remains after its mean, in quantiser steps, and the hyper-latent
    scales      hyper-latent -> table of every symbol; integers only
    restore     decoded integers and the latent before -> latent
    synthesise  latent and caption -> pictures

Shapes, with N latent frames of f pictures (1 or 4), H and W multiples of 16: luma [N f, 1, H, W], chroma
[N f, 2, H/2, W/2] in [-0.5, 0.5]; latent and before [N, 16, H/8, W/8], each channel about unit variance (before is zero
where there is none); residual, symbols, index [N, 16, H/8, W/8]; z [N, Z, H/16, W/16], whole numbers; q [N] in [0, 63];
text [N, T, D] and mask [N, T].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xvcodec.models.base import Step
from xvcodec.models.crossmodal import pack, unpack
from xvcodec.models.latent import FRAMES, LatentModel
from xvcodec.models.latent_stages import LATENTS

_MEANS = tuple(f"prior.{part}." for part in ("lift", "hint", "tone", "block", "mean", "past"))
_SCALES = tuple(f"prior.scales.{layer}_" for layer in ("first", "second", "last"))
_INTO = ("linear.down", "eye.", "into.", "ask.", "head.")
_OUT = ("linear.up", "embed.", "answer.", "out.", "brush.")


def _steps(kind: str) -> dict[str, Step]:
    def of(inputs: str, outputs: str, *weights: str, exact: bool = False) -> Step:
        return Step(tuple(inputs.split()), tuple(outputs.split()), tuple(f"{kind}.{weight}" for weight in weights), exact)

    return {
        f"{kind}.scales": of("z q", "index", *_SCALES, exact=True),
        f"{kind}.analyse": of("luma chroma text mask", "latent", *_INTO),
        f"{kind}.reduce": of("latent before q", "residual z", "log_step.", "prior.analyse.", *_MEANS, exact=True),
        f"{kind}.restore": of("symbols z before q", "latent", "log_step.", *_MEANS, exact=True),
        f"{kind}.synthesise": of("latent q text mask", "out_luma out_chroma", *_OUT),
    }


STEPS = {name: step for kind in FRAMES for name, step in _steps(kind).items()}


class _Step(nn.Module):
    def __init__(self, model: LatentModel, kind: str) -> None:
        super().__init__()
        self.model, self.kind = model, kind


class Analyse(_Step):
    """Pictures -> latent."""

    def forward(self, luma: Tensor, chroma: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Inputs and outputs as `STEPS` lists them."""
        return self.model.coder(self.kind).analyse(pack(luma, chroma, FRAMES[self.kind]), text, mask)


class Reduce(_Step):
    """Latent -> residual and hyper-latent."""

    def forward(self, latent: Tensor, before: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and outputs as `STEPS` lists them."""
        coder = self.model.coder(self.kind)
        step = coder.step(q)
        y = latent / step
        z = torch.round(coder.prior.hyper(y, coder.prior.expected(before, step)))
        return y - coder.prior.means(z, before, step, q), z


class Scales(_Step):
    """Hyper-latent -> tables; exact on every device."""

    def forward(self, z: Tensor, q: Tensor) -> Tensor:
        """Inputs and outputs as `STEPS` lists them."""
        index: Tensor = self.model.coder(self.kind).prior.scales(z, q)
        return index


class Restore(_Step):
    """Decoded integers -> latent."""

    def forward(self, symbols: Tensor, z: Tensor, before: Tensor, q: Tensor) -> Tensor:
        """Inputs and outputs as `STEPS` lists them."""
        coder = self.model.coder(self.kind)
        step = coder.step(q)
        return (symbols + coder.prior.means(z, before, step, q)) * step


class Synthesise(_Step):
    """Latent -> pictures."""

    def forward(self, latent: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and outputs as `STEPS` lists them."""
        pictures = self.model.coder(self.kind).synthesise(latent, q, text, mask)
        return unpack(pictures, FRAMES[self.kind])


_MODULES = {"analyse": Analyse, "reduce": Reduce, "scales": Scales, "restore": Restore, "synthesise": Synthesise}


def build_steps(model: LatentModel) -> dict[str, nn.Module]:
    """All steps of a model by name."""
    return {name: _MODULES[name.split(".")[1]](model, name.split(".")[0]) for name in STEPS}


def output_shapes(model: LatentModel, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Shapes of a step's outputs, in the order of its signature, for given inputs."""
    kind, _, what = step.partition(".")
    frames, (count, _, height, width) = FRAMES[kind], inputs[0].shape
    if what == "analyse":
        return [(count // frames, LATENTS, height // 8, width // 8)]
    if what == "reduce":
        return [(count, LATENTS, height, width), (count, model.config.hyper, height // 2, width // 2)]
    if what == "scales":
        return [(count, LATENTS, height * 2, width * 2)]
    if what == "restore":
        return [(count, LATENTS, height, width)]
    return [(count * frames, 1, height * 8, width * 8), (count * frames, 2, height * 4, width * 4)]


def example_inputs(model: LatentModel, step: str, height: int, width: int, count: int = 1,
                   tokens: int = 4) -> tuple[Tensor, ...]:
    """Seeded inputs of a step for `count` latent frames of height x width pixels (multiples of 16)."""
    random = torch.Generator().manual_seed(7)
    pictures = count * FRAMES[step.split(".")[0]]
    latent = (count, LATENTS, height // 8, width // 8)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random) - 0.5

    made = {
        "luma": uniform(pictures, 1, height, width), "chroma": uniform(pictures, 2, height // 2, width // 2) * 0.3,
        "latent": uniform(*latent) * 4, "before": uniform(*latent) * 4, "symbols": (uniform(*latent) * 6).round(),
        "z": (uniform(count, model.config.hyper, height // 16, width // 16) * 6).round(),
        "q": torch.full((count,), 30.0), "text": uniform(count, tokens, model.config.text),
        "mask": torch.ones(count, tokens),
    }
    return tuple(made[name] for name in STEPS[step].inputs)
