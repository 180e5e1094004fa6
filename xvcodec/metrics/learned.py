"""LPIPS and DISTS, by their authors' packages, when those and their networks' weights are on this machine."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable
from typing import Any, Literal

from xvcodec.media.types import Frame, VideoInfo

from .base import Absent, FrameMetric
from .optional import require
from .pictures import rgb_tensor

LEAST = 64  # samples a side: the deepest layers still see something


class Lpips(FrameMetric):
    """LPIPS 0.1 on AlexNet, the variant that most papers report."""

    name = "lpips"
    better: Literal["higher", "lower"] = "lower"
    definition = "LPIPS 0.1 on AlexNet (package lpips) of the 8-bit RGB picture; mean over frames."
    least = LEAST

    def __init__(self) -> None:
        library = require("lpips", "LPIPS", "pip install lpips")
        require_weights("alexnet-owt-", "LPIPS", "AlexNet", "python -c 'import lpips; lpips.LPIPS(net=\"alex\")'")
        self._network = _build("LPIPS", lambda: library.LPIPS(net="alex", version="0.1", verbose=False))

    def compare(self, source: Frame, decoded: Frame, info: VideoInfo) -> float:
        """LPIPS, 0 for equal pictures; the network takes -1..1."""
        return float(self._network(*(rgb_tensor(frame, info) / 127.5 - 1.0 for frame in (source, decoded))))


class Dists(FrameMetric):
    """DISTS on VGG-16."""

    name = "dists"
    better: Literal["higher", "lower"] = "lower"
    definition = "DISTS (package dists-pytorch) of the 8-bit RGB picture at its own size; mean over frames."
    least = LEAST

    def __init__(self) -> None:
        library = require("DISTS_pytorch", "DISTS", "pip install dists-pytorch")
        require_weights("vgg16-", "DISTS", "VGG-16", "python -c 'import DISTS_pytorch; DISTS_pytorch.DISTS()'")
        self._network = _build("DISTS", lambda: library.DISTS())

    def compare(self, source: Frame, decoded: Frame, info: VideoInfo) -> float:
        """DISTS, 0 for equal pictures; the network takes 0..1."""
        return float(self._network(*(rgb_tensor(frame, info) / 255.0 for frame in (source, decoded))))


def require_weights(prefix: str, what: str, network: str, fetch: str) -> None:
    """Raise Absent unless torchvision's cache has the weights: a study never starts a large download by itself."""
    import torch

    folder = os.path.join(torch.hub.get_dir(), "checkpoints")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    if not any(name.startswith(prefix) and name.endswith(".pth") for name in names):
        raise Absent(f"{what} needs torchvision's weights of {network}, which are not on this machine: fetch them once with "
                     f"{fetch}")


def _build(what: str, make: Callable[[], Any]) -> Any:
    """The network that `make` builds, ready to measure; what it would print goes nowhere."""
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make().eval().requires_grad_(False)
    except Exception as error:  # whatever the package throws: a study goes on without this metric
        raise Absent(f"{what} is installed but does not start ({error}).") from error
