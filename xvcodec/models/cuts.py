"""Cuts of patches: luma of a key frame's patch is transformed as a whole, or in 2 or 4 pieces down and across.

A DCT of 16 x 16 pixels spreads an edge over all of its coefficients, those of smaller pieces keep it together (the
transform sizes of H.264 and H.265, with pieces that need not be square). The coefficients of all pieces at one frequency
lie side by side where the whole patch has about that frequency, so that steps, contexts and the order of coding stay; and
a cut is a change of basis of the DCT, so that predictions from neighbours stay, too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xvcodec.models.transform import dct, frequencies

SIDE = 16
PIECES = (1, 2, 4)
"""How many pieces a patch may be cut into, in each direction; a cut is len(PIECES) * (number down) + (number across)."""
CUTS = len(PIECES) ** 2


def _bases() -> Tensor:
    """From DCT coefficients of SIDE values to those of their pieces, [number in PIECES, SIDE, SIDE], orthonormal."""
    found = []
    for pieces in PIECES:
        apart = torch.block_diag(*[dct(SIDE // pieces)] * pieces).unflatten(0, (pieces, -1)).transpose(0, 1).flatten(0, 1)
        found.append(apart @ dct(SIDE).t())
    return torch.stack(found)


def _channels() -> tuple[Tensor, Tensor]:
    """Channels of luma, row after row of frequencies [256], and of chroma [128]."""
    plane, down, right = frequencies(SIDE).T
    luma = torch.argsort(torch.where(plane == 0, down * SIDE + right, SIDE**2), stable=True)[: SIDE**2]
    return luma, torch.nonzero(plane).flatten()


BASES = _bases()
LUMA, _CHROMA = _channels()
_BACK = torch.argsort(torch.cat((LUMA, _CHROMA)))


def cut_all(rest: Tensor, step: Tensor) -> Tensor:
    """What all cuts make of a latent.

    Args:
        rest: in quantiser steps, [N, 384, h, w]. step: the steps in picture units, the same shape.
    Returns:
        luma channels in steps, for each cut in the order of LUMA, [N, CUTS * 256, h, w].
    """
    with torch.autocast(rest.device.type, enabled=False):  # as precise as the transform
        scale = _squares(step)
        squares = _squares(rest) * scale
        made = [_rows(torch.matmul(torch.matmul(down, squares), across.t()) / scale, rest)
                for down in BASES.to(rest.device) for across in BASES.to(rest.device)]
        return torch.cat(made, dim=1)


def cut(rest: Tensor, cuts: Tensor, step: Tensor) -> Tensor:
    """A latent [N, 384, h, w] after its cuts, whole float numbers [N, 1, h, w]; both in quantiser steps."""
    return _turned(rest, step, *_matrices(cuts))


def join(symbols: Tensor, cuts: Tensor, step: Tensor) -> Tensor:
    """The inverse of `cut`."""
    down, across = _matrices(cuts)
    return _turned(symbols, step, down.transpose(1, 2), across.transpose(1, 2))


def _matrices(cuts: Tensor) -> tuple[Tensor, Tensor]:
    """Changes of basis down and across, [N * h * w, SIDE, SIDE] each."""
    number = cuts.flatten()
    down = torch.floor(number / len(PIECES) + 0.01)
    across = number - down * len(PIECES)
    return BASES.to(cuts.device).index_select(0, down.long()), BASES.to(cuts.device).index_select(0, across.long())


def _turned(values: Tensor, step: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """[N, 384, h, w] with luma multiplied from both sides, in picture units."""
    with torch.autocast(values.device.type, enabled=False):
        scale = _squares(step)
        turned = torch.matmul(torch.matmul(down, _squares(values) * scale), across.transpose(1, 2)) / scale
        both = torch.cat((_rows(turned, values), values.index_select(1, _CHROMA.to(values.device)).float()), dim=1)
        return both.index_select(1, _BACK.to(values.device))


def _squares(values: Tensor) -> Tensor:
    """Luma of [N, 384, h, w] as [N * h * w, SIDE, SIDE]."""
    return values.float().index_select(1, LUMA.to(values.device)).permute(0, 2, 3, 1).reshape(-1, SIDE, SIDE)


def _rows(squares: Tensor, like: Tensor) -> Tensor:
    """The inverse of `_squares`, [N, 256, h, w] for a latent of the shape of `like`."""
    return squares.reshape(like.shape[0], like.shape[2], like.shape[3], SIDE**2).permute(0, 3, 1, 2)
