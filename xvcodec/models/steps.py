"""The crossmodal model as pure functions: ten steps, tensors in, tensors out, no state inside.

Both runtimes run these same steps: torch calls the modules, onnxruntime the graphs exported from them. A step's
inputs and outputs are listed in `STEPS`; shapes, with N samples, H and W multiples of 32:
    luma [N, 1, H, W], chroma [N, 2, H/2, W/2] in [-0.5, 0.5] (for `between`: 3 N pictures, a sample's three together);
    memory [N, M, H/8, W/8]; field [N, 2, H/8, W/8] and fields [N, 4, 3, H/8, W/8] in quarter pixels (and sides -1, 0, 1);
    shares [N, 3]; q [N] in [0, 63]; text [N, T, D] and mask [N, T];
    residual, symbols, index [N, L, H/16, W/16]; z [N, Z, H/32, W/32], whole numbers;
    added [N, C, H/16, W/16]: what decoded neighbours add to the means of the first C channels of a key frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xvcodec.models.base import Step
from xvcodec.models.coder import ConditionalCoder
from xvcodec.models.crossmodal import Crossmodal, Picture, pack, pack_several, unpack, unpack_several
from xvcodec.models.warp import BLOCK

KINDS = ("key", "anchor", "between")
_STATE = {
    "key": (),
    "anchor": ("before_luma", "before_chroma", "before_memory", "field"),
    "between": ("before_luma", "before_chroma", "after_luma", "after_chroma", "fields", "shares"),
}
_GUIDE = ("q", "text", "mask")

_MEANS = ("transform.", "log_step.", "prior.lift.", "prior.hint.", "prior.tone.", "prior.block.", "prior.mean.")
_PARTS = {
    "analyse": ("encoder.", "prior.analyse.", *_MEANS),
    "scales": ("prior.scales.first_", "prior.scales.second_", "prior.scales.last_"),
    "synthesise": ("decoder.", "context.", *_MEANS),
}


def _step(kind: str, what: str) -> Step:
    inputs, outputs = {
        "analyse": (("luma", "chroma", *_STATE[kind], *_GUIDE), ("residual", "z")),
        "scales": (("z", "q"), ("index",)),
        "synthesise": (("symbols", "z", *_STATE[kind], *_GUIDE),
                       ("out_luma", "out_chroma") if kind == "between" else ("out_luma", "out_chroma", "out_memory")),
    }[what]
    return Step(inputs, outputs, tuple(f"{kind}.{part}" for part in _PARTS[what]), exact=what == "scales")


STEPS = {f"{kind}.{what}": _step(kind, what) for kind in KINDS for what in _PARTS}
STEPS["key.context"] = Step(("symbols", "z", "q"), ("added",), tuple(f"key.{part}" for part in ("context.", *_MEANS[1:])))


def _predict(model: Crossmodal, kind: str, state: tuple[Tensor, ...], like: Tensor) -> tuple[Tensor, Tensor]:
    """Base and hints of one kind from its state tensors; `like` is any tensor at 1/16 scale."""
    if kind == "key":
        return model.predict_key(like.shape[0], like.shape[2] * 16, like.shape[3] * 16, like.device)
    if kind == "anchor":
        luma, chroma, memory, field = state
        return model.predict_anchor(Picture(luma, chroma, memory), field)
    before, after = Picture(state[0], state[1]), Picture(state[2], state[3])
    return model.predict_between(before, after, state[4], state[5])


class Analyse(nn.Module):
    """Pictures -> what remains of the latent after its mean, in quantiser steps, and the rounded hyper-latent."""

    def __init__(self, model: Crossmodal, kind: str) -> None:
        super().__init__()
        self.model, self.kind = model, kind

    def forward(self, luma: Tensor, chroma: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and outputs as `STEPS` lists them."""
        *state, q, text, mask = rest
        coder: ConditionalCoder = getattr(self.model, self.kind)
        pictures = (pack_several if self.kind == "between" else pack)(luma, chroma)
        base, hints = _predict(self.model, self.kind, tuple(state), pictures[:, :, ::2, ::2])
        y = coder.analyse(pictures, base, hints, q, text, mask)
        z = torch.round(coder.prior.hyper(y))
        return y - coder.means(z, base, hints, q), z


class Scales(nn.Module):
    """Hyper-latent -> table index of every latent symbol; integers only, exact on every device."""

    def __init__(self, model: Crossmodal, kind: str) -> None:
        super().__init__()
        self.model, self.kind = model, kind

    def forward(self, z: Tensor, q: Tensor) -> Tensor:
        """Inputs and outputs as `STEPS` lists them."""
        index: Tensor = getattr(self.model, self.kind).prior.scales(z, q)
        return index


class Synthesise(nn.Module):
    """Decoded integers -> pictures (and memory for the next chunk)."""

    def __init__(self, model: Crossmodal, kind: str) -> None:
        super().__init__()
        self.model, self.kind = model, kind

    def forward(self, symbols: Tensor, z: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Inputs and outputs as `STEPS` lists them."""
        *state, q, text, mask = rest
        coder: ConditionalCoder = getattr(self.model, self.kind)
        base, hints = _predict(self.model, self.kind, tuple(state), symbols)
        means = coder.expected(coder.means(z, base, hints, q), q, lambda _: symbols[:, : coder.config.context])
        packed, memory = coder.synthesise(symbols + means, base, hints, q, text, mask)
        if self.kind == "between":
            return unpack_several(packed)
        return (*unpack(packed), memory)


class Neighbours(nn.Module):
    """Symbols -> what decoded neighbours add to the means: right in the first pass without a final symbol, and before."""

    def __init__(self, model: Crossmodal, kind: str) -> None:
        super().__init__()
        self.model, self.kind = model, kind

    def forward(self, symbols: Tensor, z: Tensor, q: Tensor) -> Tensor:
        """Inputs and outputs as `STEPS` lists them."""
        coder: ConditionalCoder = getattr(self.model, self.kind)
        assert coder.context is not None
        means = coder.means(z, *_predict(self.model, self.kind, (), symbols), q)[:, : coder.context.channels]
        step = coder.step(q)[:, : coder.context.channels]
        added: Tensor = coder.context(means, step, lambda _: symbols[:, : means.shape[1]])
        return added


_MODULES = {"analyse": Analyse, "scales": Scales, "synthesise": Synthesise, "context": Neighbours}


def build_steps(model: Crossmodal) -> dict[str, nn.Module]:
    """All steps of a model by name."""
    return {name: _MODULES[name.split(".")[1]](model, name.split(".")[0]) for name in STEPS}


def output_shapes(model: Crossmodal, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Shapes of a step's outputs, in the order of its signature, for given inputs."""
    kind, _, what = step.partition(".")
    coder = getattr(model, kind).config
    first = inputs[0]
    if what == "analyse":
        count, height, width = first.shape[0] // coder.pictures, first.shape[2] // 16, first.shape[3] // 16
        return [(count, coder.latents, height, width), (count, coder.hyper, height // 2, width // 2)]
    count, _, height, width = first.shape
    if what == "context":
        return [(count, coder.context, height, width)]
    if what == "scales":
        return [(count, coder.latents, height * 2, width * 2)]
    pictures = count * coder.pictures
    planes: list[tuple[int, ...]] = [(pictures, 1, height * 16, width * 16), (pictures, 2, height * 8, width * 8)]
    return planes + ([(count, coder.memory, height * 2, width * 2)] if coder.memory else [])


def example_inputs(model: Crossmodal, step: str, height: int, width: int, count: int = 1,
                   tokens: int = 4) -> tuple[Tensor, ...]:
    """Seeded inputs of a step for pictures of height x width (multiples of 32), in the order of its signature."""
    kind = step.split(".")[0]
    coder = getattr(model, kind).config
    random = torch.Generator().manual_seed(7)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random) - 0.5

    pictures = count * coder.pictures
    blocks = (height // 16, width // 16)
    field = (height // BLOCK, width // BLOCK)

    def vectors(*shape: int) -> Tensor:
        return (uniform(count, *shape, *field) * 40).round()

    sides = (uniform(count, 4, 1, *field) * 3).round()
    made = {
        "luma": uniform(pictures, 1, height, width), "chroma": uniform(pictures, 2, height // 2, width // 2) * 0.3,
        "before_luma": uniform(count, 1, height, width),
        "before_chroma": uniform(count, 2, height // 2, width // 2) * 0.3,
        "after_luma": uniform(count, 1, height, width),
        "after_chroma": uniform(count, 2, height // 2, width // 2) * 0.3,
        "before_memory": uniform(count, model.config.memory, height // 8, width // 8),
        "field": vectors(2), "fields": torch.cat((vectors(4, 2), sides), dim=2),
        "shares": torch.tensor([[0.25, 0.5, 0.75]]).expand(count, 3).clone(),
        "q": torch.full((count,), 30.0), "text": uniform(count, tokens, model.config.text),
        "mask": torch.ones(count, tokens),
        "symbols": (uniform(count, coder.latents, *blocks) * 3).round(),
        "z": (uniform(count, coder.hyper, height // 32, width // 32) * 6).round(),
    }
    return tuple(made[name] for name in STEPS[step].inputs)
