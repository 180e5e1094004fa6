"""The crossmodal model as pure functions: nine steps, tensors in, tensors out, no state inside.

Both runtimes run these same steps: torch calls the modules, onnxruntime the graphs exported from them. A step's
inputs and outputs are listed in `STEPS`; shapes, with N samples, H and W multiples of 32:
    luma [N, 1, H, W], chroma [N, 2, H/2, W/2] in [-0.5, 0.5] (for `between`: 3 N pictures, a sample's three together);
    field [N, 3, H/8, W/8] and fields [N, 4, 3, H/8, W/8] in quarter pixels, and -1, 0, 1 (see `xvcodec.models.crossmodal`);
    shares [N, 3]; q [N, 1, H/32, W/32] in [0, 63]; text [N, T, D] and mask [N, T];
    latent (in quantiser steps, before rounding) and symbols [N, L, H/p, W/p], p the side of a patch;
    means [N, C, H/16, W/16]: what decoded neighbours tell about the first C channels of a key frame, in quantiser steps;
    rest [N, L, H/16, W/16]: what a key frame's symbols are without cuts, cuts [N, 1, H/16, W/16]: of its patches, and
    candidates [N, 9 * 256, H/16, W/16]: what each cut makes of its luma, all in the steps [N, 256, H/16, W/16] (see
    `xvcodec.models.cuts`). `key.context` and `key.synthesise` take such a rest for symbols.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xvcodec.models.base import Step
from xvcodec.models.coder import AREA, Coder
from xvcodec.models.crossmodal import Crossmodal, Picture, pack, pack_several, unpack, unpack_several
from xvcodec.models.cuts import CUTS, LUMA, SIDE, cut_all, join
from xvcodec.models.warp import BLOCK

KINDS = ("key", "anchor", "between")
_PREDICTED = {
    "anchor": ("before_luma", "before_chroma", "field"),
    "between": ("before_luma", "before_chroma", "after_luma", "after_chroma", "fields", "shares"),
}
_GUIDE = ("q", "text", "mask")
_PICTURES, _OUT = ("luma", "chroma"), ("out_luma", "out_chroma")
_THERE, _BACK = ("transform.", "log_step."), ("transform.", "log_step.", "refiner.")


def _step(kind: str, inputs: tuple[str, ...], outputs: tuple[str, ...], parts: tuple[str, ...]) -> Step:
    return Step(inputs, outputs, tuple(f"{kind}.{part}" for part in parts))


STEPS = {
    "key.analyse": _step("key", (*_PICTURES, *_GUIDE), ("latent",), ("encoder.", *_THERE)),
    "key.context": _step("key", ("symbols", "q"), ("means",), ("context.", "log_step.")),
    "key.cut": _step("key", ("rest", "q"), ("candidates", "steps"), ("log_step.",)),
    "key.join": _step("key", ("symbols", "cuts", "q"), ("rest",), ("log_step.",)),
    "key.synthesise": _step("key", ("symbols", *_GUIDE), _OUT, ("decoder.", "context.", *_BACK)),
}
for _kind, _state in _PREDICTED.items():
    STEPS[f"{_kind}.analyse"] = _step(_kind, (*_PICTURES, *_state, "q"), ("latent",), _THERE)
    STEPS[f"{_kind}.synthesise"] = _step(_kind, ("symbols", *_state, "q"), _OUT, _BACK)


class _Part(nn.Module):
    """A step; inputs and outputs of its `forward` as `STEPS` lists them."""

    def __init__(self, model: Crossmodal) -> None:
        super().__init__()
        self.model = model


class AnalyseKey(_Part):
    """A key frame -> its latent."""

    def forward(self, luma: Tensor, chroma: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """See `STEPS`."""
        return self.model.key.latent(pack(luma, chroma), q, text, mask)


class Neighbours(_Part):
    """Symbols -> means: right in the first pass without a final symbol, and before."""

    def forward(self, symbols: Tensor, q: Tensor) -> Tensor:
        """See `STEPS`."""
        key = self.model.key
        channels = key.context.channels
        means: Tensor = key.context(symbols, key.step(q)[:, :channels], lambda _: symbols[:, :channels])
        return means


class Cut(_Part):
    """What remains of a key frame after the means -> its luma by each cut, and the steps of luma."""

    def forward(self, rest: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """See `STEPS`."""
        step = self.model.key.step(q)
        return cut_all(rest, step), step.index_select(1, LUMA.to(step.device))


class Join(_Part):
    """Symbols of patches that may be cut -> what they are without cuts."""

    def forward(self, symbols: Tensor, cuts: Tensor, q: Tensor) -> Tensor:
        """See `STEPS`."""
        return join(symbols, cuts, self.model.key.step(q))


class SynthesiseKey(_Part):
    """Symbols -> a key frame."""

    def forward(self, symbols: Tensor, q: Tensor, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `STEPS`."""
        key = self.model.key
        means = key.means(q, symbols, lambda _: symbols[:, : key.context.channels])
        return unpack(key.pictures_of(symbols + means, q, text, mask))


class AnalyseAnchor(_Part):
    """An anchor and what it is predicted from -> latent of what remains."""

    def forward(self, luma: Tensor, chroma: Tensor, before_luma: Tensor, before_chroma: Tensor, field: Tensor,
                q: Tensor) -> Tensor:
        """See `STEPS`."""
        base = self.model.predict_anchor(Picture(before_luma, before_chroma), field)
        return self.model.anchor.analyse(pack(luma, chroma), base, q)


class SynthesiseAnchor(_Part):
    """Symbols and what it is predicted from -> an anchor."""

    def forward(self, symbols: Tensor, before_luma: Tensor, before_chroma: Tensor, field: Tensor,
                q: Tensor) -> tuple[Tensor, Tensor]:
        """See `STEPS`."""
        base = self.model.predict_anchor(Picture(before_luma, before_chroma), field)
        return unpack(self.model.anchor.synthesise(symbols, base, q))


class AnalyseBetween(_Part):
    """Frames between two anchors, and both -> latent of what remains."""

    def forward(self, luma: Tensor, chroma: Tensor, before_luma: Tensor, before_chroma: Tensor, after_luma: Tensor,
                after_chroma: Tensor, fields: Tensor, shares: Tensor, q: Tensor) -> Tensor:
        """See `STEPS`."""
        both = Picture(before_luma, before_chroma), Picture(after_luma, after_chroma)
        base = self.model.predict_between(*both, fields, shares)[0]
        return self.model.between.analyse(pack_several(luma, chroma), base, q)


class SynthesiseBetween(_Part):
    """Symbols and two anchors -> the frames between."""

    def forward(self, symbols: Tensor, before_luma: Tensor, before_chroma: Tensor, after_luma: Tensor,
                after_chroma: Tensor, fields: Tensor, shares: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """See `STEPS`."""
        both = Picture(before_luma, before_chroma), Picture(after_luma, after_chroma)
        base, *beside = self.model.predict_between(*both, fields, shares)
        return unpack_several(self.model.between.synthesise(symbols, base, q, *beside))


_MODULES = {"key.analyse": AnalyseKey, "key.context": Neighbours, "key.cut": Cut, "key.join": Join,
            "key.synthesise": SynthesiseKey,
            "anchor.analyse": AnalyseAnchor, "anchor.synthesise": SynthesiseAnchor,
            "between.analyse": AnalyseBetween, "between.synthesise": SynthesiseBetween}


def build_steps(model: Crossmodal) -> dict[str, nn.Module]:
    """All steps of a model by name."""
    return {name: module(model) for name, module in _MODULES.items()}


def output_shapes(model: Crossmodal, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Shapes of a step's outputs, in the order of its signature, for given inputs."""
    kind, _, what = step.partition(".")
    coder: Coder = getattr(model, kind)
    count, _, height, width = inputs[0].shape
    if what == "analyse":
        return [(count // coder.pictures, coder.latents, height // coder.patch, width // coder.patch)]
    if what == "context":
        return [(count, model.key.context.channels, height, width)]
    if what == "cut":
        return [(count, channels * SIDE**2, height, width) for channels in (CUTS, 1)]
    if what == "join":
        return [(count, coder.latents, height, width)]
    pictures, height, width = count * coder.pictures, height * coder.patch, width * coder.patch
    return [(pictures, 1, height, width), (pictures, 2, height // 2, width // 2)]


def example_inputs(model: Crossmodal, step: str, height: int, width: int, count: int = 1,
                   tokens: int = 4) -> tuple[Tensor, ...]:
    """Seeded inputs of a step for pictures of height x width (multiples of 32), in the order of its signature."""
    kind = step.split(".")[0]
    coder: Coder = getattr(model, kind)
    random = torch.Generator().manual_seed(7)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random) - 0.5

    pictures = count * coder.pictures
    blocks = (height // coder.patch, width // coder.patch)
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
        "field": torch.cat((vectors(2), sides[:, 0]), dim=1), "fields": torch.cat((vectors(4, 2), sides), dim=2),
        "shares": torch.tensor([[0.25, 0.5, 0.75]]).expand(count, 3).clone(),
        "q": 30.0 + uniform(count, 1, height // AREA, width // AREA) * 20.0,
        "text": uniform(count, tokens, model.config.text),
        "mask": torch.ones(count, tokens),
        "symbols": (uniform(count, coder.latents, *blocks) * 3).round(),
        "rest": uniform(count, coder.latents, *blocks) * 3,
        "cuts": ((uniform(count, 1, *blocks) + 0.5) * CUTS).floor(),
    }
    return tuple(made[name] for name in STEPS[step].inputs)
