"""SqueezeNet's features as a loss; without the network's arrays there is none."""

from __future__ import annotations

import os

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.metrics.squeezenet import VARIABLE, features, load


def rgb_of(luma: Tensor, chroma: Tensor) -> Tensor:
    """BT.709 limited planes [N, 1, H, W] and [N, 2, H/2, W/2] in [-0.5, 0.5] -> RGB [N, 3, H, W], 0 to 255."""
    bright = (luma.float() + 0.5 - 16.0 / 255.0) * (255.0 / 219.0)
    blue, red = (F.interpolate(chroma.float(), scale_factor=2.0, mode="bilinear") * (255.0 / 224.0)).split(1, dim=1)
    planes = (bright + 1.5748 * red, bright - 0.1873 * blue - 0.4681 * red, bright + 1.8556 * blue)
    return torch.cat(planes, dim=1).clamp(0.0, 1.0) * 255.0


TINY = 1e-12


class Features:
    """The distance of `xvcodec.metrics.squeezenet`, with gradients; 0 where its environment variable names no file."""

    def __init__(self, device: torch.device) -> None:
        path = os.environ.get(VARIABLE)
        arrays = {name: torch.from_numpy(array).to(device) for name, array in load(path).items()} if path else {}
        self.weights = {name: array.to(memory_format=torch.channels_last) if array.ndim == 4 else array
                        for name, array in arrays.items()}

    def __call__(self, one: Tensor, other: Tensor) -> Tensor:
        """Mean distance of pictures [N, 3, H, W], 0 to 255."""
        if not self.weights:
            return one.new_zeros(())
        with torch.no_grad():
            wanted = list(features(other, self.weights))
        return sum((distance(a, b) for a, b in zip(features(one, self.weights), wanted, strict=True)), one.new_zeros(()))


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean over positions of the squared distance between unit vectors, as 2 - 2 cos: no vector is scaled to its length."""
    one, other = one.float(), other.float()
    squares = one.square().sum(1) * other.square().sum(1)
    return (2.0 - 2.0 * (one * other).sum(1) * (squares + TINY).rsqrt()).mean()
