"""Cuts of patches: a change of basis of the DCT whose coefficients are those of the pieces."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from xvcodec.models.coder import KEY_PATCH
from xvcodec.models.crossmodal import pack
from xvcodec.models.cuts import BASES, CUTS, LUMA, PIECES, SIDE, cut, cut_all, join
from xvcodec.models.transform import Transform, dct, frequencies


def latent(height: int = 2, width: int = 3) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 384, height, width), torch.rand(2, 384, height, width) + 0.5


def test_the_first_cut_is_none_and_all_are_orthonormal() -> None:
    assert torch.allclose(BASES @ BASES.transpose(1, 2), torch.eye(SIDE).expand_as(BASES), atol=1e-5)
    assert torch.allclose(BASES[0], torch.eye(SIDE), atol=1e-5)


def test_joining_undoes_every_cut_and_leaves_chroma() -> None:
    rest, step = latent()
    tried = cut_all(rest, step).unflatten(1, (CUTS, -1))
    for number in range(CUTS):
        cuts = torch.full((2, 1, 2, 3), float(number))
        made = cut(rest, cuts, step)
        assert torch.allclose(join(made, cuts, step), rest, atol=1e-4)
        assert torch.allclose(made[:, LUMA], tried[:, number], atol=1e-5)
        chroma = frequencies(SIDE)[:, 0] > 0
        assert torch.equal(made[:, chroma], rest[:, chroma])


def test_each_patch_has_its_own_cut() -> None:
    rest, step = latent()
    cuts = torch.tensor([[0.0, 4.0, 8.0], [1.0, 3.0, 5.0]]).expand(2, 1, 2, 3)
    made, tried = cut(rest, cuts, step), cut_all(rest, step).unflatten(1, (CUTS, -1))
    for row, column in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2)):
        expected = tried[:, int(cuts[0, 0, row, column]), :, row, column]
        assert torch.allclose(made[:, LUMA, row, column], expected, atol=1e-5)


@pytest.mark.parametrize("number", range(CUTS))
def test_coefficients_are_those_of_the_pieces(number: int) -> None:
    """Frequency k of piece i of n lies at n k + i, down and across."""
    torch.manual_seed(1)
    luma = torch.rand(1, 1, SIDE, SIDE) - 0.5
    rest = Transform(1, KEY_PATCH)(pack(luma, torch.zeros(1, 2, SIDE // 2, SIDE // 2)))
    made = cut_all(rest, torch.ones_like(rest)).unflatten(1, (CUTS, SIDE, SIDE))[0, number, :, :, 0, 0]
    down, across = (PIECES[which] for which in divmod(number, len(PIECES)))
    high, wide = SIDE // down, SIDE // across
    for i in range(down):
        for j in range(across):
            piece = luma[0, 0, i * high : (i + 1) * high, j * wide : (j + 1) * wide]
            assert torch.allclose(made[i::down, j::across], dct(high) @ piece @ dct(wide).T, atol=1e-5)
