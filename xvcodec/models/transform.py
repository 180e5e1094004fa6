"""The linear transform under the networks: a DCT of square patches, every coefficient kept.

Fixed, because nothing learned was better: principal components of the same patches have 3 to 6 % less energy to code by
their variances, but the DCT is sparser where scales follow the picture, worth 6 to 15 % (docs/experiments.md). Complete,
because a cut is a ceiling: with 160 of 384 components key frames of five of twelve clips stopped at 30.6 to 34.9 dB.
Coefficients that quantise to zero have the narrowest table and cost nothing.

Patches of 16 x 16 luma pixels suit pictures; what remains of a prediction is more local, and takes patches of 8 x 8.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PACKED = 8
"""Luma pixels on a side of one position of packed pictures."""
CHROMA_RANK = 2.2
"""A chroma coefficient comes in the order of channels where a luma one of this times its frequency comes."""


def values_of(patch: int) -> int:
    """Values of a patch of one 4:2:0 picture, `patch` luma pixels a side: luma, and a quarter of it in each chroma plane."""
    return patch * patch * 3 // 2


def dct(size: int) -> Tensor:
    """Orthonormal DCT-II, [frequency, place]; on the CPU even where a model is built without storage."""
    place = (torch.arange(size, device="cpu") + 0.5) * (torch.pi / size)
    rows = torch.cos(torch.arange(size, device="cpu").unsqueeze(1) * place) * (2.0 / size) ** 0.5
    rows[0] *= 0.5**0.5
    return rows


def frequencies(patch: int) -> Tensor:
    """Plane (0 luma, 1 and 2 chroma), vertical and horizontal frequency of each channel of a patch, int64 [values, 3].

    Channels go from low to high frequency.
    """
    sides = [torch.arange(side, device="cpu") for side in (patch, patch // 2, patch // 2)]
    planes = [torch.cartesian_prod(torch.tensor([plane], device="cpu"), side, side) for plane, side in enumerate(sides)]
    rank = torch.cat([(plane[0, 0] > 0) * 0.5 + (CHROMA_RANK if plane[0, 0] else 1.0) * plane[:, 1:].float().norm(dim=1)
                      for plane in planes])
    return torch.cat(planes)[torch.argsort(rank, stable=True)]


def patch_basis(patch: int) -> Tensor:
    """The DCT of a patch as packing lays it out, [channel, value], channels as `frequencies` orders them."""
    luma, chroma = (torch.kron(dct(size), dct(size)) for size in (patch, patch // 2))
    basis = torch.block_diag(luma, chroma, chroma)[:, _places(patch)]
    plane, down, right = frequencies(patch).T
    side = torch.where(plane > 0, patch // 2, patch)
    return basis[down * side + right + (plane > 0) * patch**2 + (plane > 1) * patch**2 // 4].contiguous()


def _places(patch: int) -> Tensor:
    """For each value of a packed patch its place among its luma pixels and twice its chroma pixels, in raster order."""
    n = patch // PACKED  # packed positions on a side: those of a patch are unshuffled into its channels
    luma = torch.arange(patch**2, device="cpu").reshape(n, 4, 2, n, 4, 2)  # positions, rows of 2, phases; of columns
    bright = luma.permute(2, 5, 1, 4, 0, 3).reshape(-1)  # phases first, then places in 4 x 4, then the positions
    colour = torch.arange(patch**2 // 2, device="cpu").reshape(2, n, 4, n, 4).permute(0, 2, 4, 1, 3).reshape(-1)
    return torch.cat((bright, patch**2 + colour))


class Transform(nn.Module):
    """Packed pictures [N, 96 f, H/8, W/8] <-> latent [N, values f, H/patch, W/patch], float32, orthonormal.

    The pictures of a sample go through a DCT over time, too. Coefficients of one patch frequency (one for each temporal
    frequency) are side by side, so that channels go from low to high frequency.
    """

    basis: Tensor
    time: Tensor | None  # None for single pictures

    def __init__(self, pictures: int, patch: int) -> None:
        super().__init__()
        self.pictures, self.values, self.unshuffle = pictures, values_of(patch), patch // PACKED
        self.register_buffer("basis", patch_basis(patch))
        self.register_buffer("time", dct(pictures) if pictures > 1 else None)

    def forward(self, packed: Tensor) -> Tensor:
        """Pictures to latent."""
        with torch.autocast(packed.device.type, enabled=False):  # pixels pass through: float32 whatever surrounds it
            patches = F.pixel_unshuffle(packed.float(), self.unshuffle)
            count, _, height, width = patches.shape
            each = patches.reshape(count * self.pictures, self.values, height, width)
            latent = F.conv2d(each, self.basis[:, :, None, None])
            if self.time is None:
                return latent
            mixed = torch.matmul(self.time, latent.reshape(count, self.pictures, -1))
            return mixed.reshape(count, self.pictures, self.values, -1).transpose(1, 2).reshape(count, -1, height, width)

    def inverse(self, latent: Tensor) -> Tensor:
        """Latent to pictures."""
        with torch.autocast(latent.device.type, enabled=False):
            count, _, height, width = latent.shape
            each = latent.float()
            if self.time is not None:
                apart = each.reshape(count, self.values, self.pictures, -1).transpose(1, 2).reshape(count, self.pictures, -1)
                each = torch.matmul(self.time.t(), apart).reshape(count * self.pictures, self.values, height, width)
            patches = F.conv2d(each, self.basis.t()[:, :, None, None])
            return F.pixel_shuffle(patches.reshape(count, -1, height, width), self.unshuffle)
