"""A tiny onedva model with random weights, and clips for it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from xvcodec.codec.field_contexts import FieldContexts
from xvcodec.codec.onedva import Contexts
from xvcodec.codec.token_contexts import TokenContexts, tables
from xvcodec.media import Frame, VideoInfo, open_writer
from xvcodec.models.onedva import OneDva, OneDvaConfig
from xvcodec.models.weights import save_model

SMALL = ((4, 1), (6, 1), (8, 1))
TINY = OneDvaConfig("tiny-onedva", mean=SMALL, flow=SMALL, layers=1)


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
    return save_model(model(plain=plain), tables(), Contexts(FieldContexts.default(), TokenContexts.default()), folder)


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
