"""Frames to padded tensors and back: the one padder, the one place where pixels are rounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.codec.family import Planes
from xvcodec.media.types import Frame


def padded_size(height: int, width: int, multiple: int) -> tuple[int, int]:
    """Height and width rounded up to the multiple."""
    return -(-height // multiple) * multiple, -(-width // multiple) * multiple


def _stack(planes: Sequence[np.ndarray], top: float) -> Tensor:
    stacked = np.stack(planes)
    return torch.from_numpy(stacked.astype(np.float32)).div_(top).sub_(0.5)


def to_planes(frames: Sequence[Frame], bit_depth: int, multiple: int, device: torch.device) -> Planes:
    """Scale code values to [-0.5, 0.5] and replicate the right and bottom edges up to the padded size."""
    top = float(2**bit_depth - 1)
    luma = _stack([frame.y for frame in frames], top).unsqueeze(1).to(device)
    chroma = torch.stack((_stack([f.u for f in frames], top), _stack([f.v for f in frames], top)), dim=1).to(device)
    height, width = padded_size(luma.shape[-2], luma.shape[-1], multiple)
    return Planes(_replicate(luma, height, width), _replicate(chroma, height // 2, width // 2))


def _replicate(planes: Tensor, height: int, width: int) -> Tensor:
    pad = (0, width - planes.shape[-1], 0, height - planes.shape[-2])
    return F.pad(planes, pad, mode="replicate") if any(pad) else planes


def to_frames(planes: Planes, pts: Sequence[int], durations: Sequence[int], height: int, width: int,
              bit_depth: int) -> list[Frame]:
    """Round to code values, cut the padding off."""
    top = float(2**bit_depth - 1)
    kind = np.uint8 if bit_depth == 8 else np.uint16
    rows, columns = (height + 1) // 2, (width + 1) // 2

    def levels(plane: Tensor) -> np.ndarray:
        whole = plane.add(0.5).mul_(top).round_().clamp_(0.0, top)
        return whole.to(torch.uint8 if bit_depth == 8 else torch.int32).cpu().numpy().astype(kind, copy=False)

    luma = levels(planes.luma[:, 0, :height, :width])
    chroma = levels(planes.chroma[:, :, :rows, :columns])
    return [Frame(pts[i], np.ascontiguousarray(luma[i]), np.ascontiguousarray(chroma[i, 0]),
                  np.ascontiguousarray(chroma[i, 1]), durations[i]) for i in range(len(pts))]
