"""Between pictures and the tokens of onedva: motion search, how fine coefficients are, and their scaling."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.field_contexts import COMPONENTS
from xvcodec.codec.fields import LIMIT
from xvcodec.codec.token_contexts import Ints
from xvcodec.codec.tokens import MIDDLE, Layer
from xvcodec.models import chain
from xvcodec.models.chain import ANCHOR, BETWEEN, FRAME, Bands, Motion, Pictures, chunks_of
from xvcodec.models.patches import TOKEN, from_tokens, means_from_tokens, means_to_tokens, to_tokens
from xvcodec.models.search import search_between, search_forward
from xvcodec.models.warp import BLOCK

STEP = 0.006
"""The finest step of all, in picture units times a gain."""
OCTAVE = 9.0
"""Qualities (crf) from one threshold to twice it."""
Members = list[list[tuple[str, int, int]]]
"""What the pictures of each layer are, see `make_layers`."""


def fineness(quality: float) -> tuple[int, float]:
    """The plane of bits that a quality (crf) ends with, and the finest step of its tokens; the threshold is step times
    2^plane."""
    octaves = max(0.0, (quality - 1.0) / OCTAVE)
    plane = int(octaves)
    return plane, STEP * 2.0 ** (octaves - plane)


def search(luma: Tensor, step: float) -> Ints:
    """Motion fields int32 [n, 4, 3, H/8, W/8] of a GOP, luma [T, 1, H, W], for a quantiser step in picture units."""
    used = chunks_of(luma.shape[0])
    fields = torch.zeros(len(used), 1 + BETWEEN, COMPONENTS, luma.shape[2] // BLOCK, luma.shape[3] // BLOCK)
    start = 0
    for chunk, count in enumerate(used):
        before, after = luma[start : start + 1], luma[start + count + 1 : start + count + 2]
        anchor = search_forward(after, before, step)[:, :2]  # the chain knows no blur: that of anchors stays zero
        fields[chunk, 0, :2] = anchor[0]
        for slot in range(count):
            middle = luma[start + 1 + slot : start + 2 + slot]
            share = float(np.float32(slot + 1) / np.float32(count + 1))
            fields[chunk, 1 + slot] = search_between(middle, before, after, anchor, share, step)[0]
        start += count + 1
    return fields.clamp(-LIMIT, LIMIT).numpy().astype(np.int32)


def closed(pictures: Pictures, motion: Motion, threshold: float) -> Bands:
    """Differences for a decoder that has every plane of bits down to a threshold (picture units times a gain)."""
    def sent(number: int, change: Pictures) -> Pictures:
        if number:
            return Pictures(*from_tokens(_rounded(to_tokens(*change.planes(), 8), threshold / ANCHOR), 8))
        parts = means_to_tokens(to_tokens(*change.planes(), 16))
        rest, means = (_rounded(part, threshold / motion.canvas) for part in parts)
        return Pictures(*from_tokens(means_from_tokens(rest, means), 16))

    return chain.differences(pictures, motion, sent)


def _rounded(values: Tensor, threshold: float) -> Tensor:
    """Coefficients as `xvcodec.codec.tokens.values` makes them of all planes of bits down to a threshold."""
    size = torch.floor(values.abs() / threshold)
    found = torch.where(size > 1, size + MIDDLE[1], torch.where(size > 0, size + MIDDLE[0], size))
    return torch.sign(values) * threshold * found


def coefficients(bands: Bands, layers: list[Layer], members: Members, canvas: float,
                 step: float) -> list[NDArray[np.float32]]:
    """The tokens of every layer in units of the finest step, float32 [patches, tokens, TOKEN]; `canvas` is its gain."""
    rest, means = means_to_tokens(to_tokens(*bands.anchors[0].planes(), 16))
    made = []
    for layer, pictures in zip(layers, members, strict=True):
        parts = []
        for kind, number, frequency in pictures:
            if kind == "canvas":
                parts.append((rest if layer.kind else means) * canvas)
            elif kind == "anchor":
                parts.append(to_tokens(*bands.anchors[number].planes(), 8) * ANCHOR)
            else:
                change = bands.between[number]
                assert change is not None
                parts.append(to_tokens(*change[frequency : frequency + 1].planes(), 8) * FRAME)
        made.append((torch.cat(parts) / step).reshape(-1, layer.shape[3], TOKEN).cpu().numpy())
    return made


def bands_of(found: list[NDArray[np.float32]], layers: list[Layer], members: Members, canvas: float, frames: int) -> Bands:
    """The inverse of `coefficients`, from decoded values in picture units times gains."""
    used = chunks_of(frames)
    anchors: dict[int, Pictures] = {}
    between: dict[int, list[Pictures]] = {}
    means = torch.zeros(0)
    for layer, pictures, value in zip(layers, members, found, strict=True):
        whole = torch.from_numpy(value).reshape(*layer.shape, TOKEN)
        for (kind, number, _), each in zip(pictures, whole, strict=True):
            one = each.unsqueeze(0)
            if kind == "canvas" and not layer.kind:
                means = one
            elif kind == "canvas":
                anchors[0] = Pictures(*from_tokens(means_from_tokens(one, means) / canvas, 16))
            elif kind == "anchor":
                anchors[number] = Pictures(*from_tokens(one / ANCHOR, 8))
            else:
                between.setdefault(number, []).append(Pictures(*from_tokens(one / FRAME, 8)))
    return Bands([anchors[number] for number in range(len(used) + 1)],
                 [chain.stack(between[chunk]) if count else None for chunk, count in enumerate(used)])
