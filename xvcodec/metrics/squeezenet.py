"""SqueezeNet feature distance: how far apart two pictures are for a network that knows what pictures look like."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from xvcodec.media.types import Frame, VideoInfo

from .base import Absent, FrameMetric
from .pictures import rgb_tensor

if TYPE_CHECKING:
    from torch import Tensor

VARIABLE = "XVC_SQUEEZENET"
MEANS = (103.939, 116.779, 123.68)  # of B, G and R, taken off the input
FIRES = {2: (64, 16), 3: (128, 16), 4: (128, 32), 5: (256, 32), 6: (256, 48), 7: (384, 48), 8: (384, 64), 9: (512, 64)}
POOLED = (2, 4, 6)  # fires with a pooling before them
LOOKED_AT = (3, 5, 6, 7, 8, 9)  # fires whose outputs are compared, after conv1's


def shapes() -> dict[str, tuple[int, ...]]:
    """Every array of SqueezeNet 1.1's feature part: its name and shape (weights OIHW)."""
    found: dict[str, tuple[int, ...]] = {"conv1.w": (64, 3, 3, 3), "conv1.b": (64,)}
    for number, (inputs, squeezed) in FIRES.items():
        layers = {"squeeze1x1": (squeezed, inputs, 1, 1), "expand1x1": (4 * squeezed, squeezed, 1, 1),
                  "expand3x3": (4 * squeezed, squeezed, 3, 3)}
        for layer, shape in layers.items():
            found[f"fire{number}/{layer}.w"], found[f"fire{number}/{layer}.b"] = shape, shape[:1]
    return found


def load(path: str | Path) -> dict[str, NDArray[np.float32]]:
    """The arrays of an .npz file, float32; nothing in it is unpickled, and no array is read before its size is known.

    Raises:
        Absent: the file cannot be read, or does not hold the arrays of `shapes()`.
    """
    wanted = shapes()
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        if any(sizes.get(f"{name}.npy", 0) > 8 * int(np.prod(shape)) + 4096 for name, shape in wanted.items()):
            raise ValueError("an array is too large")
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: np.asarray(arrays[name], np.float32) for name in wanted}
        if any(found[name].shape != shape or not np.isfinite(found[name]).all() for name, shape in wanted.items()):
            raise ValueError("an array has another shape, or values that are not finite")
    except Exception as error:  # a file can be broken in more ways than zipfile, zlib and numpy have names for
        why = getattr(error, "strerror", None) or str(error).strip("'\"")
        raise Absent(f"'{path}' does not hold the arrays of SqueezeNet 1.1 ({why}): "
                     "docs/metrics.md says what squeezenet needs.") from error
    return found


class SqueezeNet(FrameMetric):
    """SqueezeNet feature distance. `path` is the .npz with the arrays; None asks the environment (XVC_SQUEEZENET)."""

    name = "squeezenet"
    better: Literal["higher", "lower"] = "lower"
    definition = ("Squared distance between the features of SqueezeNet 1.1 in seven layers, the features of each position "
                  "scaled to length 1, mean over positions, sum over layers (not LPIPS); mean over frames.")
    least = 32  # each pooling still has a window

    def __init__(self, path: str | Path | None = None) -> None:
        path = path or os.environ.get(VARIABLE)
        if not path:
            raise Absent(f"squeezenet needs the network's arrays: give --squeezenet FILE.npz or set {VARIABLE}.")
        self._weights = {name: _tensor(array) for name, array in load(path).items()}

    def compare(self, source: Frame, decoded: Frame, info: VideoInfo) -> float:
        """The distance, 0 for equal pictures, at most 14 (2 a layer)."""
        import torch

        with torch.inference_mode():
            both = torch.cat([rgb_tensor(source, info), rgb_tensor(decoded, info)])
            return sum(_distance(layer) for layer in features(both, self._weights))


def features(rgb: Tensor, weights: Mapping[str, Tensor]) -> Iterator[Tensor]:
    """Outputs of the seven layers, [N, C, h, w] from 1/2 to 1/16 of the size, for `rgb` [N, 3, H, W], 0..255."""
    import torch
    import torch.nn.functional as F

    def convolve(x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        return F.relu(F.conv2d(x, weights[f"{name}.w"], weights[f"{name}.b"], stride, padding))

    x = convolve(rgb.flip(1) - torch.tensor(MEANS).view(3, 1, 1), "conv1", stride=2)
    yield x
    for number in FIRES:
        if number in POOLED:
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        squeezed = convolve(x, f"fire{number}/squeeze1x1")
        x = torch.cat([convolve(squeezed, f"fire{number}/expand1x1"),
                       convolve(squeezed, f"fire{number}/expand3x3", padding=1)], dim=1)
        if number in LOOKED_AT:
            yield x


def _tensor(array: NDArray[np.float32]) -> Tensor:
    """In channels-last memory where it has four axes: half the time of the network."""
    import torch

    tensor = torch.from_numpy(array)
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _distance(layer: Tensor) -> float:
    """Mean over positions of the squared distance between the unit vectors of two pictures, [2, C, h, w]."""
    unit = layer / (layer.square().sum(1, keepdim=True).sqrt() + 1e-10)
    return float((unit[0] - unit[1]).square().sum(0).mean())
