"""Motion of a GOP of the hivae family: found by the encoder, and what each picture's vectors mean; integers only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from xvcodec.codec.field_contexts import Ints
from xvcodec.codec.fields import LIMIT
from xvcodec.codec.pyramid import Node, anchors_of, details_of
from xvcodec.models.search import search_between, search_forward, step_of

Vectors = dict[int, Ints]
"""By frame: int32 [2, h, w] quarter pixels of anchors, [3, h, w] corrections and sides of details."""


@dataclass(frozen=True)
class Motion:
    """Motion of a GOP."""

    chunk: int  # frames from one anchor to the next
    vectors: Vectors


@dataclass
class Paths:
    """Where blocks lie in other pictures, as far as vectors are known."""

    known: dict[tuple[int, int], Ints] = field(default_factory=dict)  # (before, after): on the grid of after, [2, h, w]

    def straight(self, node: Node) -> Ints:
        """A detail's vectors to the picture before along the straight path: its share of those of the picture after."""
        assert node.after is not None
        whole, part = node.after - node.before, node.frame - node.before
        return (2 * part * self.known[node.before, node.after] + whole) // (2 * whole)

    def of(self, node: Node, vectors: Ints) -> tuple[Ints, ...]:
        """Forward vectors of an anchor; forward and backward ones and sides of a detail. Remembers what others need."""
        if node.after is None:
            self.known[node.before, node.frame] = vectors
            return (vectors,)
        straight, whole = self.straight(node), self.known[node.before, node.after]
        forward = vectors[:2] + straight
        self.known[node.before, node.frame], self.known[node.frame, node.after] = forward, whole - straight
        return forward, forward - whole, vectors[2:]


def as_tensors(fields: tuple[Ints, ...], device: torch.device) -> tuple[Tensor, ...]:
    """Fields as the steps take them, float32 [1, C, h, w]."""
    return tuple(torch.from_numpy(each.astype(np.float32))[None].to(device) for each in fields)


def search(luma: Tensor, chunk: int, qualities: list[float], coarseness: float) -> Motion:
    """Vectors of every predicted picture of a GOP, on the original pictures.

    Args:
        luma: [T, 1, H, W] in [-0.5, 0.5]. chunk: frames from one anchor to the next.
        qualities: crf of each level of the pyramid.
        coarseness: of the quantiser steps behind the key frame.
    """
    found: Vectors = {}
    paths = Paths()
    for node in (*anchors_of(luma.shape[0], chunk), *details_of(luma.shape[0], chunk)):
        step = step_of(qualities[node.level]) * coarseness
        now, before = luma[node.frame : node.frame + 1], luma[node.before : node.before + 1]
        if node.after is None:
            vectors = search_forward(now, before, step)[:, :2]  # anchors of this model are not blurred
        else:
            whole = torch.from_numpy(paths.known[node.before, node.after].astype(np.float32))[None].to(luma.device)
            vectors = search_between(now, before, luma[node.after : node.after + 1], whole, node.share, step)
        found[node.frame] = vectors[0].clamp(-LIMIT, LIMIT).cpu().numpy().astype(np.int32)
        paths.of(node, found[node.frame])
    return Motion(chunk, found)
