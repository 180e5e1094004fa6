"""Between what networks and contexts of the crossmodal codec take: tensors [1, L, h, w] and arrays [h * w, L]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.coefficient_contexts import Floats, Ints
from xvcodec.codec.coefficients import Sizes, sizes_of
from xvcodec.codec.family import Guide
from xvcodec.models.crossmodal import BETWEEN
from xvcodec.models.layers import QUALITIES


def sizes_beside(kind: str, number: int, used: list[int], latents: Mapping[str, Sequence[Ints] | Ints]) -> Sizes | None:
    """Sizes that contexts of latent `number` of a kind see besides its own, [h * w, L].

    An anchor sees the one before; frames between two anchors see both, at each temporal frequency.
    """
    if kind == "key" or (kind == "anchor" and not number):
        return None
    anchors = latents["anchor"]
    if kind == "anchor":
        return _sizes(anchors[number - 1])
    chunk = [at for at, count in enumerate(used) if count][number]
    both = _sizes(anchors[chunk]) + (_sizes(anchors[chunk - 1]) if chunk else np.uint8(0))
    return np.repeat(both, BETWEEN, axis=1)


def _sizes(latent: Ints) -> Sizes:
    return sizes_of(np.ascontiguousarray(latent.reshape(latent.shape[0], -1).T))


def quality_map(quality: Floats, device: torch.device) -> Tensor:
    """[H/32, W/32] -> [1, 1, H/32, W/32]."""
    return torch.from_numpy(quality[None, None]).to(device)


def whole_qualities(quality: Floats, scale: int) -> Ints:
    """Whole crf of each position of a latent, as contexts have it, `scale` positions a side to an area."""
    return np.minimum(quality, QUALITIES - 1).astype(np.int32).repeat(scale, 0).repeat(scale, 1)


def caption_of(kind: str, guide: Guide) -> tuple[Tensor, ...]:
    """The caption, for the networks that see it."""
    return (guide.text, guide.mask) if kind == "key" else ()


def rows_of(latent: Tensor, order: NDArray[np.intp] | None = None) -> Floats:
    """[1, L, h, w] -> [h * w, L] on the CPU, channels in `order`."""
    channels: Floats = latent[0].flatten(1).float().cpu().numpy()
    return np.ascontiguousarray((channels if order is None else channels[order]).T)


def latent_of(rows: Ints, shape: torch.Size) -> Tensor:
    """[h * w, L] -> [1, more, h, w], float32."""
    return torch.from_numpy(rows.T.astype(np.float32)).reshape(1, -1, *shape[2:])
