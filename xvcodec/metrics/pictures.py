"""The RGB pictures that several metrics look at, made once for all of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from xvcodec.media.convert import to_rgb
from xvcodec.media.types import Frame, VideoInfo

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 4  # pictures: both sides of this frame and of the one before

_local = threading.local()


def rgb(frame: Frame, info: VideoInfo) -> NDArray[np.uint8]:
    """`to_rgb(frame, info)`, uint8 [H, W, 3], 0..255, to be read only.

    The last pictures are kept for as long as their frames live, so that metrics that are fed the same frame side by
    side convert it once.
    """
    kept: WeakKeyDictionary[Frame, tuple[VideoInfo, NDArray[np.uint8]]] | None = getattr(_local, "kept", None)
    if kept is None:
        kept = _local.kept = WeakKeyDictionary()
    found = kept.get(frame)
    if found is None or found[0] != info:
        if len(kept) >= KEPT:
            kept.clear()
        found = kept[frame] = (info, to_rgb(frame, info))
    return found[1]


def rgb_tensor(frame: Frame, info: VideoInfo) -> Tensor:
    """The same as a float32 tensor [1, 3, H, W] in channels-last memory, R G B, 0..255."""
    import torch

    return torch.from_numpy(rgb(frame, info)).permute(2, 0, 1)[None].to(torch.float32)
