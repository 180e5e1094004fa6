"""The order of pictures in a GOP of the hivae family: anchors a chunk apart, then what lies between, by halves.

Anchors carry the global motion: each is predicted from the anchor before it alone. Every other picture is a detail: it lies
amid two decoded pictures, and is predicted from both. Integers only; both sides build the same list. How long chunks are is
chosen for each GOP; the number of anchors tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

CHUNKS = (1, 2, 4, 8)
"""Frames from one anchor to the next."""
LEVELS = CHUNKS[-1].bit_length()
"""Anchors are level 0, pictures amid two anchors level 1, and so on."""


@dataclass(frozen=True)
class Node:
    """A predicted picture, by frame numbers of its GOP."""

    frame: int
    before: int
    after: int | None  # None for anchors
    level: int
    inside: tuple[int, int]  # the anchors around it (frame, and the one after), or itself twice

    @property
    def share(self) -> float:
        """Its place between the pictures that it is predicted from, 0 to 1."""
        return 1.0 if self.after is None else (self.frame - self.before) / (self.after - self.before)


def _amid(before: int, after: int, level: int, anchors: tuple[int, int]) -> list[Node]:
    """All pictures between two, the middle one first."""
    if after - before < 2:
        return []
    middle = (before + after) // 2
    return [Node(middle, before, after, level, anchors), *_amid(before, middle, level + 1, anchors),
            *_amid(middle, after, level + 1, anchors)]


def chunk_of(frames: int, anchors: int) -> int:
    """The length of chunks that gives a GOP so many anchors; where several do, they mean the same pictures.

    Raises:
        ValueError: none does.
    """
    for chunk in CHUNKS:
        if len(anchors_of(frames, chunk)) == anchors:
            return chunk
    raise ValueError(f"{frames} frames have no {anchors} anchors")


@lru_cache(maxsize=64)
def anchors_of(frames: int, chunk: int) -> tuple[Node, ...]:
    """Anchors of a GOP in order; a last chunk may be shorter."""
    ends = [min(start + chunk, frames - 1) for start in range(0, frames - 1, chunk)]
    return tuple(Node(end, start, None, 0, (end, end)) for start, end in zip([0, *ends], ends, strict=False))


@lru_cache(maxsize=64)
def details_of(frames: int, chunk: int) -> tuple[Node, ...]:
    """All other pictures in the order of coding: each after the two that it is predicted from."""
    return tuple(node for anchor in anchors_of(frames, chunk)
                 for node in _amid(anchor.before, anchor.frame, 1, (anchor.before, anchor.frame)))
