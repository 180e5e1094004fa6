"""How a GOP is cut into chunks: which of its frames are anchors, and where the frames between lie."""

from __future__ import annotations

from itertools import pairwise

from xvcodec.models.crossmodal import BETWEEN, CHUNK


def fewest(frames: int) -> int:
    """The smallest number of chunks that hold all frames of a GOP but the first."""
    return -(-(frames - 1) // CHUNK)


def cut(frames: int, chunks: int) -> list[int]:
    """How many frames lie between the anchors of each chunk, chunks as even as can be.

    Raises ValueError when `frames` - 1 cannot be cut into so many chunks of 1 to CHUNK frames.
    """
    rest = frames - 1
    if not fewest(frames) <= chunks <= rest:
        raise ValueError(f"a GOP of {frames} frames cannot be cut into {chunks} chunks")
    ends = [rest * number // max(chunks, 1) for number in range(chunks + 1)]
    return [after - before - 1 for before, after in pairwise(ends)]


def shares(used: int) -> list[float]:
    """Places of the frames between two anchors; unused slots sit on the later anchor."""
    return [(slot + 1) / (used + 1) if slot < used else 1.0 for slot in range(BETWEEN)]
