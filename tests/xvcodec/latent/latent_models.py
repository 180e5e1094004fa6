"""A tiny latent model with random weights, and clips for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from xvcodec.families import family_of
from xvcodec.media import Frame, VideoInfo, open_writer
from xvcodec.models.latent import FRAMES, LatentConfig, LatentModel
from xvcodec.models.weights import save_model
from xvcodec.training.rate import laplace_tables

TINY = LatentConfig("tiny-latent", eye=(4, 6), wide=(12, 16), blocks=(1, 1), brush=(6, 8), strokes=(1, 2), features=(2, 3),
                    hyper=4)


def trainable(seed: int = 3) -> LatentModel:
    """A seeded model in which no layer is zero, so that every weight counts in a comparison."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LatentModel(TINY)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if not parameter.any() and not name.endswith("log_step.values"):
                    parameter.normal_(std=0.1 / parameter.shape[-1] ** 0.5)
            for kind in FRAMES:
                prior = model.coder(kind).prior
                prior.analyse[-1].weight.mul_(30.0)  # hyper-latents that are not all zero
                prior.scales.last.weight.mul_(8.0)  # and indices that follow them
                model.coder(kind).log_step.values.copy_(torch.linspace(-3.0, 0.0, 9)[:, None].expand(9, 16))
    return model


def baked(seed: int = 3) -> LatentModel:
    """The same, as it ships."""
    model = trainable(seed).eval().requires_grad_(False)
    family_of(model).freeze(model)
    return model


def weights(folder: Path, seed: int = 3) -> Path:
    """The same as a file."""
    return save_model(baked(seed), laplace_tables(), None, folder)


def clip(path: Path, width: int, height: int, frames: int, depth: int = 8) -> Path:
    """Waves that drift, lossless."""
    info = VideoInfo(width, height, bit_depth=depth, primaries=1, transfer=1, matrix=1)
    top, kind = 2**depth - 1, np.uint8 if depth == 8 else np.uint16
    with open_writer(path, info, codec="ffv1") as writer:
        for number in range(frames):
            planes = []
            for rows, columns in ((height, width), info.chroma_size, info.chroma_size):
                x, y = np.arange(columns) + 2.0 * number, np.arange(rows)[:, None] + 1.0 * number
                planes.append(np.round((0.5 + 0.3 * np.sin(0.3 * x + 0.1 * y)) * top).astype(kind))
            writer.write(Frame(number * 3600, *planes, 3600))
    return path
