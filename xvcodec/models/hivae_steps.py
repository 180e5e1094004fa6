"""The hivae model as pure functions, for both runtimes; see `xvcodec.models.steps` for the common tensors.

Besides: forward and backward [N, 2, H/8, W/8] in quarter pixels, sides [N, 1, H/8, W/8]; state and detail
[N, 24, H/4, W/4] in the units of `xvcodec.models.painter`, time [N] from 0 to 1; q is the quality of the
picture itself, for painters [N].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from xvcodec.models.base import Step
from xvcodec.models.coder import AREA
from xvcodec.models.crossmodal import Crossmodal, Picture, pack, unpack
from xvcodec.models.hivae import Hivae
from xvcodec.models.painter import PLANES, SIDE, quarters, unit_of, wholes
from xvcodec.models.steps import STEPS as CROSSMODAL
from xvcodec.models.steps import AnalyseAnchor, AnalyseKey, Neighbours, SynthesiseAnchor, SynthesiseKey
from xvcodec.models.warp import BLOCK

_TWO = ("before_luma", "before_chroma", "after_luma", "after_chroma", "forward", "backward", "sides")
_LINEAR = ("amid.transform.", "amid.log_step.")
_SEEN, _GUIDE = ("luma", "chroma"), ("q", "text", "mask")
STEPS = {
    **{name: CROSSMODAL[name] for name in ("key.analyse", "key.context", "key.synthesise", "anchor.analyse",
                                           "anchor.synthesise")},
    "amid.analyse": Step((*_SEEN, *_TWO, "q"), ("latent",), _LINEAR),
    "amid.synthesise": Step(("symbols", *_TWO, "q"), ("out_luma", "out_chroma"), (*_LINEAR, "amid.refiner.")),
    "paint.mean": Step((*_SEEN, *_GUIDE), ("out_luma", "out_chroma"), ("mean.",)),
    "paint.flow": Step((*_SEEN, *_GUIDE, "state", "time"), ("detail",), ("flow.",)),
}


class _Part(nn.Module):
    """A step; inputs and outputs of its `forward` as `STEPS` lists them."""

    def __init__(self, model: Hivae) -> None:
        super().__init__()
        self.model = model


class AnalyseAmid(_Part):
    """A picture and the two that it lies amid -> latent of what remains."""

    def forward(self, luma: Tensor, chroma: Tensor, before_luma: Tensor, before_chroma: Tensor, after_luma: Tensor,
                after_chroma: Tensor, forward: Tensor, backward: Tensor, sides: Tensor, q: Tensor) -> Tensor:
        """See `STEPS`."""
        both = Picture(before_luma, before_chroma), Picture(after_luma, after_chroma)
        return self.model.amid.analyse(pack(luma, chroma), self.model.predict_amid(*both, forward, backward, sides), q)


class SynthesiseAmid(_Part):
    """Symbols and two pictures -> the one amid them."""

    def forward(self, symbols: Tensor, before_luma: Tensor, before_chroma: Tensor, after_luma: Tensor, after_chroma: Tensor,
                forward: Tensor, backward: Tensor, sides: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """See `STEPS`."""
        both = Picture(before_luma, before_chroma), Picture(after_luma, after_chroma)
        return unpack(self.model.amid.synthesise(symbols, self.model.predict_amid(*both, forward, backward, sides), q))


class Mean(_Part):
    """A decoded picture -> what it looked like, on average."""

    def forward(self, luma: Tensor, chroma: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `STEPS`."""
        planes = quarters(luma, chroma)
        return wholes(planes + self.model.mean(planes, q, text, mask) * unit_of(q))


class Flow(_Part):
    """A mean picture, and where the flow is -> the detail at its end."""

    def forward(self, luma: Tensor, chroma: Tensor, q: Tensor, text: Tensor, mask: Tensor, state: Tensor,
                time: Tensor) -> Tensor:
        """See `STEPS`."""
        detail: Tensor = self.model.flow(quarters(luma, chroma), q, text, mask, state, time)
        return detail


_OWN = {"amid.analyse": AnalyseAmid, "amid.synthesise": SynthesiseAmid, "paint.mean": Mean, "paint.flow": Flow}
_SHARED = {"key.analyse": AnalyseKey, "key.context": Neighbours, "key.synthesise": SynthesiseKey,
           "anchor.analyse": AnalyseAnchor, "anchor.synthesise": SynthesiseAnchor}


def build_steps(model: Hivae) -> dict[str, nn.Module]:
    """All steps of a model by name. Those of key frames and anchors are crossmodal's: they ask for the same parts."""
    shared = {name: module(cast(Crossmodal, model)) for name, module in _SHARED.items()}
    return shared | {name: module(model) for name, module in _OWN.items()}


def output_shapes(model: Hivae, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Shapes of a step's outputs for given inputs."""
    kind, _, what = step.partition(".")
    count, _, height, width = inputs[0].shape
    if what == "flow":
        return [(count, PLANES, height // SIDE, width // SIDE)]
    if what == "context":
        return [(count, model.key.context.channels, height, width)]
    if what == "analyse":
        coder = getattr(model, kind)
        return [(count, coder.latents, height // coder.patch, width // coder.patch)]
    patch = getattr(model, kind).patch if what == "synthesise" else 1
    return [(count, 1, height * patch, width * patch), (count, 2, height * patch // 2, width * patch // 2)]


def example_inputs(model: Hivae, step: str, height: int, width: int, count: int = 1, tokens: int = 4) -> tuple[Tensor, ...]:
    """Seeded inputs of a step for pictures of height x width (multiples of 32)."""
    random = torch.Generator().manual_seed(7)
    coder = model.key if step.startswith("key.") else model.anchor
    half, blocks, areas = ((height // side, width // side) for side in (2, BLOCK, AREA))

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=random) - 0.5

    made = {f"{who}luma": uniform(1, height, width) for who in ("", "before_", "after_")}
    made |= {f"{who}chroma": uniform(2, *half) * 0.3 for who in ("", "before_", "after_")}
    made |= {name: (uniform(2, *blocks) * 40).round() for name in ("field", "forward", "backward")}
    made |= {"sides": (uniform(1, *blocks) * 3).round(), "q": uniform(1, *areas) * 20.0 + 50.0,
             "text": uniform(tokens, model.config.text), "mask": torch.ones(count, tokens),
             "state": uniform(PLANES, height // SIDE, width // SIDE) * 3, "time": torch.full((count,), 0.5),
             "symbols": (uniform(coder.latents, height // coder.patch, width // coder.patch) * 3).round()}
    if step.startswith("paint."):
        made["q"] = torch.full((count,), 50.0)
    return tuple(made[name] for name in STEPS[step].inputs)
