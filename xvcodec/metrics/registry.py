"""From names on a command line to metrics, and to plain words about those that cannot run here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xvcodec.errors import UsageError

from .base import Absent, Metric
from .fidelity import Psnr, PsnrYuv, TemporalPsnr
from .filters import Ssim, Xpsnr
from .learned import Dists, Lpips
from .msssim import MsSsim
from .squeezenet import SqueezeNet
from .vmaf import Vmaf

_MAKERS: dict[str, Callable[[], Metric]] = {
    "psnr": Psnr, "psnr-yuv": PsnrYuv, "ssim": Ssim, "msssim": MsSsim, "xpsnr": Xpsnr, "tpsnr": TemporalPsnr,
    "squeezenet": SqueezeNet, "lpips": Lpips, "dists": Dists, "vmaf": Vmaf,
}
NAMES = tuple(_MAKERS)
"""Every metric, in the order of docs/metrics.md."""


@dataclass(frozen=True)
class Missing:
    """A metric that was asked for and cannot be had."""

    name: str
    reason: str  # one sentence: what to install or to give, or why the clip cannot be measured


def resolve(names: Sequence[str], *, squeezenet: str | Path | None = None) -> tuple[list[Metric], list[Missing]]:
    """The metrics of these names, in their order, each once; and those that cannot run on this machine.

    Args:
        names: of `NAMES`.
        squeezenet: .npz file with the arrays of SqueezeNet; None asks the environment variable XVC_SQUEEZENET.
    Raises:
        UsageError: a name is not known.
    """
    unknown = [name for name in names if name not in _MAKERS]
    if unknown:
        raise UsageError(f"There is no metric '{unknown[0]}': choose from {', '.join(NAMES)}.")
    found: list[Metric] = []
    missing: list[Missing] = []
    for name in dict.fromkeys(names):
        try:
            found.append(SqueezeNet(squeezenet) if name == "squeezenet" else _MAKERS[name]())
        except Absent as absent:
            missing.append(Missing(name, str(absent)))
    return found, missing
