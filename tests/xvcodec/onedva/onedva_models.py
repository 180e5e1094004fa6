"""A tiny onedva model with random weights, the hivae model that codes alike, and clips for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from xvcodec import EncodeOptions
from xvcodec.codec.onedva_contexts import OnedvaContexts
from xvcodec.codec.token_contexts import TokenContexts
from xvcodec.families import family
from xvcodec.media import Frame, VideoInfo, open_writer
from xvcodec.models.hivae import HIVAE, Hivae
from xvcodec.models.onedva import ONEDVA, OneDva
from xvcodec.models.weights import save_model

Drawn = Callable[[], AbstractContextManager[None]]
SMALL = ((4, 1), (6, 1), (8, 1))
SIZES = {"width": 24, "leading": 16, "context": 5, "refiners": (8, 1, 8, 1, 8, 1), "features": 2, "mean": SMALL,
         "flow": SMALL, "layers": 1}
TINY = replace(ONEDVA, name="tiny-onedva", **SIZES)  # type: ignore[arg-type]

TORCH = {"backend": "torch", "device": "cpu"}
OPTIONS = EncodeOptions(crf=30.0, **TORCH)  # type: ignore[arg-type]


def model(seed: int = 3, plain: bool = False) -> OneDva:
    """A seeded model with no layer at zero, or as training begins."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = OneDva(TINY).eval().requires_grad_(False)
        for parameter in made.parameters():
            if not plain and not parameter.any():
                parameter.normal_(std=0.1 / parameter.shape[-1] ** 0.5)
    return made


def weights(folder: Path, plain: bool = True) -> Path:
    """A model as training begins, unless it is not to be plain, as a file."""
    fitted = family("hivae").fitted(None)
    extras = OnedvaContexts(**vars(fitted.extras), tokens=TokenContexts.default())
    return save_model(model(plain=plain), fitted.tables, extras, folder)


def alike(folder: Path) -> Path:
    """The hivae model with the same networks as `weights` has, as a file."""
    made = Hivae(replace(HIVAE, name="tiny-hivae", **SIZES)).eval().requires_grad_(False)  # type: ignore[arg-type]
    made.load_state_dict(model(plain=True).state_dict())
    fitted = family("hivae").fitted(None)
    return save_model(made, fitted.tables, fitted.extras, folder)


def clip(path: Path, width: int, height: int, frames: int, still: bool = False) -> Path:
    """Waves and a square that move, or stand still; lossless."""
    info = VideoInfo(width, height, frame_rate=Fraction(25), time_base=Fraction(1, 90000), primaries=1, transfer=1, matrix=1)
    with open_writer(path, info, codec="ffv1") as writer:
        for number in range(frames):
            at = 0 if still else number
            planes = []
            for rows, columns in ((height, width), info.chroma_size, info.chroma_size):
                y, x = np.mgrid[:rows, :columns]
                value = 120 + 50 * np.sin(0.21 * (x + 2 * at)) + 40 * np.sin(0.17 * (y - at) + 0.05 * x)
                value[rows // 4 : rows // 2, at : at + columns // 4] = 200
                planes.append(value.clip(0, 255).astype(np.uint8))
            writer.write(Frame(number * 3600, *planes, 3600))
    return path
