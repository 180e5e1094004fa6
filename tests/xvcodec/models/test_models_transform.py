"""The linear path: orthonormal, complete, in order of frequency."""

from __future__ import annotations

import pytest
import torch

from xvcodec.models.crossmodal import pack, pack_several
from xvcodec.models.transform import Transform, frequencies, patch_basis, values_of

PATCHES = [8, 16]


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("pictures", [1, 3])
def test_there_and_back(pictures: int, patch: int) -> None:
    torch.manual_seed(0)
    transform, packed = Transform(pictures, patch), torch.rand(2, 96 * pictures, 4, 6) - 0.5
    latent = transform(packed)
    assert latent.shape == (2, values_of(patch) * pictures, 32 // patch, 48 // patch)
    assert torch.allclose(transform.inverse(latent), packed, atol=1e-5)
    assert float(latent.norm()) == pytest.approx(float(packed.norm()), rel=1e-5), "errors count the same on both sides"


@pytest.mark.parametrize("patch", PATCHES)
def test_channels_are_frequencies(patch: int) -> None:
    waves = [torch.cos(torch.pi * (2 * torch.arange(patch) + 1) * k / (2 * patch)) for k in (2, 3)]
    luma = (waves[0].unsqueeze(1) * waves[1]).repeat(16 // patch, 16 // patch)[None, None]  # 2 down, 3 to the right
    latent = Transform(1, patch)(pack(luma, torch.zeros(1, 2, 8, 8)))[0, :, 0, 0]
    assert int((latent.abs() > 1e-4).sum()) == 1, "one pixel pattern of the DCT is one coefficient"
    assert frequencies(patch)[int(latent.abs().argmax())].tolist() == [0, 2, 3]
    flat = Transform(1, patch)(pack(torch.ones(1, 1, 16, 16), torch.zeros(1, 2, 8, 8)))[0, :, 0, 0]
    assert int(flat.abs().argmax()) == 0 and float(flat[0]) == pytest.approx(patch, rel=1e-5)
    colour = torch.zeros(1, 2, 8, 8)
    colour[:, 1] = waves[1][: patch // 2].new_ones(8, 8)
    latent = Transform(1, patch)(pack(torch.zeros(1, 1, 16, 16), colour))[0, :, 0, 0]
    assert frequencies(patch)[int(latent.abs().argmax())].tolist() == [2, 0, 0]


@pytest.mark.parametrize("patch", PATCHES)
def test_temporal_frequencies_are_side_by_side(patch: int) -> None:
    still = pack_several(torch.full((3, 1, 16, 16), 0.5), torch.zeros(3, 2, 8, 8))
    latent = Transform(3, patch)(still)[0, :, 0, 0]
    assert int((latent.abs() > 1e-4).sum()) == 1 and int(latent.abs().argmax()) == 0
    moving = pack_several(torch.tensor([-0.5, 0.0, 0.5]).view(3, 1, 1, 1).expand(3, 1, 16, 16), torch.zeros(3, 2, 8, 8))
    assert int(Transform(3, patch)(moving)[0, :, 0, 0].abs().argmax()) == 1


@pytest.mark.parametrize("patch", PATCHES)
def test_the_basis_is_complete(patch: int) -> None:
    basis = patch_basis(patch)
    assert torch.allclose(basis @ basis.T, torch.eye(values_of(patch)), atol=1e-5)
    assert len({tuple(place) for place in frequencies(patch).tolist()}) == values_of(patch)
