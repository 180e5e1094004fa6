"""A tiny hivae model with random weights, and clips for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from xvcodec.families import family
from xvcodec.media import Frame, VideoInfo, open_writer
from xvcodec.models.hivae import HIVAE, Hivae
from xvcodec.models.weights import save_model

Drawn = Callable[[], AbstractContextManager[None]]
SMALL = ((4, 1), (6, 1), (8, 1))
TINY = replace(HIVAE, name="tiny-hivae", width=24, leading=16, context=5, refiners=(8, 1, 8, 1, 8, 1), features=2,
               mean=SMALL, flow=SMALL)


def model(seed: int = 3) -> Hivae:
    """A seeded model in which no layer is zero, so that every weight counts in a comparison."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Hivae(TINY).eval().requires_grad_(False)
        for parameter in made.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1 / parameter.shape[-1] ** 0.5)
    return made


def weights(folder: Path, seed: int = 3) -> Path:
    """The same as a file."""
    fitted = family("hivae").fitted(None)
    return save_model(model(seed), fitted.tables, fitted.extras, folder)


def clip(path: Path, width: int, height: int, frames: int, depth: int = 8) -> Path:
    """Waves that drift and a square that crosses them, lossless."""
    info = VideoInfo(width, height, bit_depth=depth, primaries=1, transfer=1, matrix=1)
    top, kind = 2**depth - 1, np.uint8 if depth == 8 else np.uint16
    with open_writer(path, info, codec="ffv1") as writer:
        for number in range(frames):
            planes = []
            for rows, columns in ((height, width), info.chroma_size, info.chroma_size):
                x, y = np.arange(columns) + 2.0 * number, np.arange(rows)[:, None] + 1.0 * number
                value = 0.5 + 0.2 * np.sin(0.3 * x + 0.1 * y) + 0.1 * np.sin(0.02 * x * y)
                value[rows // 4 : rows // 2, 2 * number : 2 * number + columns // 4] = 0.9
                planes.append(np.round(value.clip(0, 1) * top).astype(kind))
            writer.write(Frame(number * 3600, *planes, 3600))
    return path
