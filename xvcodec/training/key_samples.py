"""What the loop filter of key frames is trained on: training clips and photographs as the real codec decodes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xvcodec.codec.coefficient_contexts import Floats
from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.crossmodal_pass import EncodingPass
from xvcodec.codec.hivae import HivaeCodec
from xvcodec.codec.quality_maps import UNIT
from xvcodec.codec.session import Session
from xvcodec.models.coder import AREA, nominal_step
from xvcodec.models.crossmodal import Crossmodal, unpack
from xvcodec.models.fine_filters import KeyFilter
from xvcodec.models.refine import Refiner
from xvcodec.models.transform import PACKED
from xvcodec.models.weights import LoadedModel
from xvcodec.training.data import Clips
from xvcodec.training.filter_samples import Samples, levels

SIZE = 256
"""Side of the crops that are coded."""
QUALITIES = (2.0, 56.0)
"""A crop's quality (crf) is drawn from here."""
LOW_QUALITIES = (34.0, 75.0)
"""The same for models of low rates."""
EVEN = 0.4
"""Share of crops that have one quality everywhere, as photographs have; others have a map of areas."""
PHOTOGRAPHS = 0.35
"""Share of crops that come from photographs."""


class _Watched(nn.Module):
    """Stands for the loop filter, notes what it is given, and lets it work."""

    def __init__(self, inner: Refiner | KeyFilter) -> None:
        super().__init__()
        self.inner, self.seen = inner, list[Tensor]()

    def __deepcopy__(self, memo: dict[int, Any]) -> _Watched:
        return self  # a runtime copies its model, but what its copy sees is to be found here

    def forward(self, rough: Tensor, base: Tensor, step: Tensor, features: Tensor) -> Tensor:
        """See `Refiner`."""
        if torch.is_inference_mode_enabled():  # not where an encoder takes gradients
            self.seen.append(rough.clone())
        given = (step,) if isinstance(self.inner, KeyFilter) else (base, step, features)
        mended: Tensor = self.inner(rough, *given)
        return mended


@torch.inference_mode()
def record_key_frames(model: LoadedModel, clips: Clips, count: int, device: str = "cpu") -> Samples:
    """Code `count` crops as key frames."""
    module = model.module
    assert isinstance(module, Crossmodal)
    inner = module.key.refiner
    assert isinstance(inner, Refiner | KeyFilter)
    watched = module.key.refiner = _Watched(inner)  # type: ignore[assignment]
    session = Session.open(model, "constriction", None, "torch", device)
    codec, guide = session.codec, session.guidance("")
    assert isinstance(codec, CrossmodalCodec)
    qualities = LOW_QUALITIES if isinstance(codec, HivaeCodec) else QUALITIES
    found = list[Samples]()
    for _ in range(count):
        batch = clips.photographs(1, SIZE) if clips.rng.random() < PHOTOGRAPHS else clips.clips(1, 0, SIZE)
        quality = areas(clips.rng, SIZE // AREA, qualities, codec.coarsest)
        watched.seen.clear()
        EncodingPass(codec, {"key": quality[None]}, guide, [], rounds=codec.rounds).key(batch.luma[0], batch.chroma[0])
        luma, chroma = (plane.half().cpu() for plane in unpack(watched.seen.pop().float()))
        placed = torch.from_numpy(quality[None, None].repeat(AREA // PACKED, 2).repeat(AREA // PACKED, 3))
        source = levels((batch.luma[0], batch.chroma[0]))
        found.append(Samples(((luma, chroma),), source, nominal_step(placed), placed.mean((1, 2, 3))))
    module.key.refiner = inner
    return Samples.joined(found)


def areas(random: np.random.Generator, side: int, qualities: tuple[float, float], coarsest: float) -> Floats:
    """Quality (crf) of the areas of a crop, [side, side]: levels that change slowly, with some of their own."""
    quality = random.uniform(*qualities)
    if random.random() < EVEN:
        return np.full((side, side), quality, np.float32)
    slow = F.interpolate(torch.from_numpy(random.normal(size=(1, 1, 3, 3))), size=(side, side), mode="bicubic")[0, 0].numpy()
    own = random.normal(size=(side, side)) * random.uniform(0.0, 1.0)
    levels = np.rint(slow * random.uniform(0.3, 2.0) + own)
    return np.clip(quality + UNIT * levels, 0.0, coarsest).astype(np.float32)
