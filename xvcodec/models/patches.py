"""Pictures as tokens and back: patches of 4:2:0 pictures through a DCT, sixteen coefficients a token.

A patch of p x p luma pixels and its two chroma patches of p/2 x p/2 has 1.5 p^2 coefficients: six tokens (p = 8) or
24 (p = 16), from low to high frequency, planes mixed. The transform is orthonormal, chroma scaled by CHROMA, so that equal
errors of coefficients are about equal errors in RGB.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TOKEN = 16
"""Coefficients of a token."""
CHROMA = 1.8
CHROMA_RANK = 2.2
"""A chroma coefficient stands where a luma one of this times its frequency stands."""


@lru_cache(maxsize=64)
def dct(size: int) -> Tensor:
    """Orthonormal DCT-II, [frequency, place], float32; computed in float64, so that it is the same everywhere."""
    place = (torch.arange(size, dtype=torch.float64) + 0.5) * (torch.pi / size)
    rows = torch.cos(torch.arange(size, dtype=torch.float64).unsqueeze(1) * place) * (2.0 / size) ** 0.5
    rows[0] *= 0.5**0.5
    return rows.float()


@lru_cache(maxsize=4)
def order(patch: int) -> NDArray[np.intp]:
    """Coefficients (luma in raster order, then both chroma planes) from low to high frequency, [1.5 patch^2]."""
    half = patch // 2
    luma = np.hypot(*np.mgrid[:patch, :patch]).ravel()
    chroma = CHROMA_RANK * np.hypot(*np.mgrid[:half, :half]).ravel() + 0.5
    return np.argsort(np.concatenate((luma, chroma, chroma)), kind="stable")


def _there(planes: Tensor, side: int) -> Tensor:
    """[N, C, H, W] -> [N, H/side, W/side, C side^2]."""
    count, channels, height, width = planes.shape
    matrix = dct(side).to(planes)
    blocks = planes.reshape(count, channels, height // side, side, width // side, side)
    rows = torch.tensordot(blocks, matrix, ([5], [1]))  # [N, C, h, y, w, v]
    both = torch.tensordot(rows, matrix, ([3], [1]))  # [N, C, h, w, v, u]
    return both.permute(0, 2, 3, 1, 5, 4).reshape(count, height // side, width // side, -1)


def _back(values: Tensor, side: int) -> Tensor:
    """The inverse of `_there`."""
    count, height, width, _ = values.shape
    matrix = dct(side).to(values)
    blocks = values.reshape(count, height, width, -1, side, side)  # n h w c u v
    rows = torch.tensordot(blocks, matrix, ([5], [0]))  # n h w c u x
    both = torch.tensordot(rows, matrix, ([4], [0]))  # n h w c x y
    return both.permute(0, 3, 1, 5, 2, 4).reshape(count, -1, height * side, width * side)


def to_tokens(luma: Tensor, chroma: Tensor, patch: int) -> Tensor:
    """Luma [N, 1, H, W] and chroma [N, 2, H/2, W/2] -> [N, H/patch, W/patch, tokens, TOKEN], float32."""
    both = torch.cat((_there(luma.float(), patch), _there(chroma.float() * CHROMA, patch // 2)), dim=-1)
    index = torch.from_numpy(order(patch)).to(both.device)
    return both[..., index].unflatten(-1, (-1, TOKEN))


def from_tokens(tokens: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """The inverse of `to_tokens`."""
    back = torch.from_numpy(np.argsort(order(patch))).to(tokens.device)
    both = tokens.flatten(-2)[..., back]
    return _back(both[..., : patch**2], patch), _back(both[..., patch**2 :], patch // 2) / CHROMA


def means_to_tokens(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Take the means of patches of one picture out and put them through a DCT of their own, over the whole picture.

    Args:
        tokens: [1, h, w, 24, TOKEN] of patches of 16.
    Returns:
        tokens with zeros for the means, and tokens of the means, [1, ceil(h / 4), ceil(w / 4), 3, TOKEN]: 4 x 4 neighbouring
        frequencies of luma, then of both chroma planes.
    """
    _, height, width = tokens.shape[:3]
    flat = tokens.flatten(-2).clone()
    places = _means()
    means = flat[0, ..., places].permute(2, 0, 1)
    flat[..., places] = 0.0
    spectrum = dct(height).to(means) @ means @ dct(width).to(means).t()
    padded = torch.nn.functional.pad(spectrum, (0, -width % 4, 0, -height % 4))
    groups = padded.unflatten(2, (-1, 4)).unflatten(1, (-1, 4)).permute(1, 3, 0, 2, 4)  # [h/4, w/4, 3, 4, 4]
    return flat.unflatten(-1, (-1, TOKEN)), groups.flatten(-2).unsqueeze(0)


def means_from_tokens(rest: Tensor, groups: Tensor) -> Tensor:
    """The inverse of `means_to_tokens`."""
    _, height, width = rest.shape[:3]
    planes = groups[0].unflatten(-1, (4, 4)).permute(2, 0, 3, 1, 4)
    spectrum = planes.flatten(3).flatten(1, 2)[:, :height, :width]
    flat = rest.flatten(-2).clone()
    flat[0, ..., _means()] = (dct(height).to(rest).t() @ spectrum @ dct(width).to(rest)).permute(1, 2, 0)
    return flat.unflatten(-1, (-1, TOKEN))


def _means() -> list[int]:
    """Where the means of the three planes stand among the coefficients of a patch of 16."""
    return [int(place) for place in np.flatnonzero(np.isin(order(16), (0, 256, 256 + 64)))]
