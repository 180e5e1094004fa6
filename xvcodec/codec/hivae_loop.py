"""The closed loop of the hivae family: pictures as the decoder has them, one after the other, in floating point."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.coefficient_contexts import Floats, Ints
from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.hivae_motion import Paths, as_tensors
from xvcodec.codec.hivae_paint import paint
from xvcodec.codec.pyramid import Node
from xvcodec.models.coder import AREA, KEY_PATCH
from xvcodec.models.hivae import STEPS, HivaeConfig
from xvcodec.options import MAX_CRF
from xvcodec.runtime.base import Runtime

KIND = {True: "anchor", False: "amid"}
FULL = 24.0
"""Quality from which on kinds of picture differ by all of their offsets: at crf 0 every one has the finest step."""

LOW, STRETCH = 56.0, 2.0
"""Above quality LOW one crf means 1 + STRETCH, so that the range ends where hardly anything is sent."""


def wished(config: HivaeConfig, quality: float) -> list[float]:
    """Quality (crf) that the key frame and each level of the pyramid should have, in a GOP of nominal quality `quality`."""
    share, beyond = min(1.0, quality / FULL), STRETCH * max(0.0, quality - LOW)
    return [max(0.0, quality + beyond + offset * share) for offset in config.offsets]


def qualities(config: HivaeConfig, quality: float) -> list[float]:
    """Quality that they have: there is none above MAX_CRF."""
    return [min(MAX_CRF, each) for each in wished(config, quality)]


class Loop:
    """Decoded pictures of a GOP; those that nothing is predicted from any more are let go by `forget`."""

    def __init__(self, runtime: Runtime, config: HivaeConfig, quality: float, guide: Guide) -> None:
        self.runtime, self.guide = runtime, guide
        self.steps = STEPS if guide.steps is None else guide.steps
        self.of = qualities(config, quality)
        self.decoded: dict[int, tuple[Tensor, ...]] = {}
        self.quality: dict[int, float] = {}  # by frame
        self.paths = Paths()

    def analyse_key(self, luma: Tensor, chroma: Tensor) -> Tensor:
        """Latent of a key frame, in quantiser steps."""
        return self.runtime.run("key.analyse", (luma, chroma, self._q(0, luma), self.guide.text, self.guide.mask))[0]

    def expect_key(self, symbols: Tensor) -> Tensor:
        """What decoded neighbours tell about a key frame's symbols."""
        return self.runtime.run("key.context", (symbols, self._q(0, symbols, KEY_PATCH)))[0]

    def key(self, symbols: Ints) -> None:
        """Decode the key frame, symbols [1, L, h, w]."""
        latent = self._tensor(symbols)
        inputs = (latent, self._q(0, latent, KEY_PATCH), self.guide.text, self.guide.mask)
        self._note(0, 0, self.runtime.run("key.synthesise", inputs))

    def predict(self, node: Node, vectors: Ints) -> tuple[Tensor, ...]:
        """What the steps of a picture take besides itself or its symbols: pictures and fields."""
        near = [node.before] if node.after is None else [node.before, node.after]
        pictures = [plane for frame in near for plane in self.decoded[frame]]
        return (*pictures, *as_tensors(self.paths.of(node, vectors), self.runtime.device))

    def analyse(self, node: Node, state: tuple[Tensor, ...], luma: Tensor, chroma: Tensor) -> Tensor:
        """Latent of a predicted picture, in quantiser steps."""
        return self.runtime.run(f"{KIND[not node.level]}.analyse", (luma, chroma, *state, self._q(1 + node.level, luma)))[0]

    def synthesise(self, node: Node, state: tuple[Tensor, ...], symbols: Ints) -> None:
        """Decode a predicted picture, symbols [1, L, h, w]."""
        inputs = (self._tensor(symbols), *state, self._q(1 + node.level, state[0]))
        self._note(node.frame, 1 + node.level, self.runtime.run(f"{KIND[not node.level]}.synthesise", inputs))

    def shown(self, frames: Iterable[int]) -> Planes:
        """Painted pictures."""
        chosen = list(frames)
        planes = Planes(*(torch.cat(each) for each in zip(*(self.decoded[frame] for frame in chosen), strict=True)))
        return paint(self.runtime, planes, [self.painted_at(frame) for frame in chosen], self.guide, self.steps)

    def painted_at(self, frame: int) -> float:
        """The quality that a picture looks like: details are hardly worse than the anchors that they are predicted from."""
        return min(self.quality[frame], self.of[1])

    def forget(self, before: int) -> None:
        """Let go of all pictures before a frame."""
        self.decoded = {frame: planes for frame, planes in self.decoded.items() if frame >= before}

    def _q(self, number: int, like: Tensor, patch: int = 1) -> Tensor:
        """The map of a quality, the same everywhere, for a picture, or for a latent of patches."""
        areas = (like.shape[-2] * patch // AREA, like.shape[-1] * patch // AREA)
        return torch.full((1, 1, *areas), self.of[number], device=self.runtime.device)

    def _tensor(self, symbols: Ints) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(symbols, np.float32)).to(self.runtime.device)

    def _note(self, frame: int, number: int, planes: tuple[Tensor, ...]) -> None:
        self.decoded[frame], self.quality[frame] = planes, self.of[number]


def rows(latent: Tensor, order: NDArray[np.intp]) -> Floats:
    """[1, L, h, w] -> [h * w, L] on the CPU, channels in `order`."""
    channels: Floats = latent[0].flatten(1).float().cpu().numpy()[order]
    return np.ascontiguousarray(channels.T)
