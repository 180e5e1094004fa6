"""Clips as a decoder has them before it paints, coded while training goes on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.hivae import HivaeCodec
from xvcodec.families.base import Fitted
from xvcodec.models.hivae import Hivae
from xvcodec.models.painter import halves
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.torch_runtime import TorchRuntime
from xvcodec.training.data import Clips

QUALITIES = (28.0, 63.0)
"""Clips are coded at a quality (crf) drawn from here, coarse ones more often."""


@dataclass(frozen=True)
class Pair:
    """A coded clip: true and decoded planes, float16 [T, 6, S/2, S/2], and the quality of each picture [T]."""

    truth: Tensor
    decoded: Tensor
    quality: Tensor
    caption: str


class CodedClips:
    """The latest clips that were coded; pictures are drawn from all of them."""

    def __init__(self, model: Hivae, fitted: Fitted, most: int, size: int, frames: int) -> None:
        device = next(model.parameters()).device
        loaded = LoadedModel("", model, fitted.tables, fitted.extras, b"", Path())
        self.codec = HivaeCodec(loaded, TorchRuntime(model, str(device), "float32"))
        self.guide = Guide(torch.zeros(1, 0, model.config.text, device=device), torch.zeros(1, 0, device=device))
        self.pairs: deque[Pair] = deque(maxlen=most)
        self.size, self.frames = size, frames

    @torch.inference_mode()
    def fill(self, clips: Clips, count: int) -> None:
        """Code `count` clips more."""
        for _ in range(count):
            batch = clips.clips(1, (self.frames - 1) // 4, self.size)
            low, high = QUALITIES
            quality = low + (high - low) * float(clips.rng.random()) ** 0.5
            planes = Planes(batch.luma[0], batch.chroma[0])
            loop, _ = self.codec.code(planes, self.codec.analyse(planes, quality, self.guide), quality, self.guide)
            order = range(self.frames)
            rough = torch.cat([halves(*loop.decoded[frame]) for frame in order]).half()
            of = torch.tensor([loop.quality[frame] for frame in order], device=rough.device)
            self.pairs.append(Pair(halves(planes.luma, planes.chroma).half(), rough, of, batch.captions[0]))

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        """Pictures of different clips: true and decoded planes [N, 6, S/2, S/2], qualities [N] and captions."""
        chosen = [self.pairs[int(at)] for at in rng.integers(0, len(self.pairs), count)]
        frames = [int(at) for at in rng.integers(0, self.frames, count)]
        truth, decoded, quality = (torch.stack([getattr(pair, name)[at] for pair, at in zip(chosen, frames, strict=True)])
                                   for name in ("truth", "decoded", "quality"))
        return truth.float().clone(), decoded.float().clone(), quality.clone(), [pair.caption for pair in chosen]
