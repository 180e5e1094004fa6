"""The linear path: orthonormal, complete, in order of frequency."""

from __future__ import annotations

import pytest
import torch

from xvcodec.models.crossmodal import pack, pack_several
from xvcodec.models.transform import PATCH, Transform, patch_basis


@pytest.mark.parametrize("pictures", [1, 3])
def test_there_and_back(pictures: int) -> None:
    torch.manual_seed(0)
    transform, packed = Transform(pictures), torch.rand(2, 96 * pictures, 4, 6) - 0.5
    latent = transform(packed)
    assert latent.shape == (2, PATCH * pictures, 2, 3)
    assert torch.allclose(transform.inverse(latent), packed, atol=1e-5)
    assert float(latent.norm()) == pytest.approx(float(packed.norm()), rel=1e-5), "errors count the same on both sides"


def test_channels_are_frequencies() -> None:
    wave = torch.cos(torch.pi * (2 * torch.arange(16) + 1) * 3 / 32).expand(1, 1, 16, 16)  # horizontal frequency 3
    latent = Transform(1)(pack(wave, torch.zeros(1, 2, 8, 8)))[0, :, 0, 0]
    assert int((latent.abs() > 1e-4).sum()) == 1, "one pixel pattern of the DCT is one coefficient"
    flat = Transform(1)(pack(torch.ones(1, 1, 16, 16), torch.zeros(1, 2, 8, 8)))[0, :, 0, 0]
    assert int(flat.abs().argmax()) == 0 and float(flat[0]) == pytest.approx(16.0, rel=1e-5)
    assert int(latent.abs().argmax()) < 24 < PATCH


def test_temporal_frequencies_are_side_by_side() -> None:
    still = pack_several(torch.full((3, 1, 16, 16), 0.5), torch.zeros(3, 2, 8, 8))
    latent = Transform(3)(still)[0, :, 0, 0]
    assert int((latent.abs() > 1e-4).sum()) == 1 and int(latent.abs().argmax()) == 0
    moving = pack_several(torch.tensor([-0.5, 0.0, 0.5]).view(3, 1, 1, 1).expand(3, 1, 16, 16), torch.zeros(3, 2, 8, 8))
    assert int(Transform(3)(moving)[0, :, 0, 0].abs().argmax()) == 1


def test_the_basis_is_complete() -> None:
    basis = patch_basis()
    assert torch.allclose(basis @ basis.T, torch.eye(PATCH), atol=1e-5)
