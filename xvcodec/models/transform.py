"""The linear transform under the networks: a DCT of 16 x 16 patches (8 x 8 in chroma), every coefficient kept.

Fixed, because nothing learned was better: principal components of the same patches have 3 to 6 % less energy to code by
their variances, but the DCT is sparser where scales follow the picture, worth 6 to 15 % (docs/experiments.md). Complete,
because a cut is a ceiling: with 160 of 384 components key frames of five of twelve clips stopped at 30.6 to 34.9 dB.
Coefficients that quantise to zero have the narrowest table and cost nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH = 384
"""Values of a 16 x 16 patch of one 4:2:0 picture: 256 luma and 128 chroma samples."""
CHROMA_RANK = 2.2
"""A chroma coefficient comes in the order of channels where a luma one of this times its frequency comes."""


def dct(size: int) -> Tensor:
    """Orthonormal DCT-II, [frequency, place]; on the CPU even where a model is built without storage."""
    place = (torch.arange(size, device="cpu") + 0.5) * (torch.pi / size)
    rows = torch.cos(torch.arange(size, device="cpu").unsqueeze(1) * place) * (2.0 / size) ** 0.5
    rows[0] *= 0.5**0.5
    return rows


def patch_basis() -> Tensor:
    """The DCT of a patch as packing lays it out, [coefficient, value], coefficients from low to high frequency."""
    luma, chroma = torch.kron(dct(16), dct(16)), torch.kron(dct(8), dct(8))
    basis = torch.block_diag(luma, chroma, chroma)[:, _places()]
    frequency = [torch.cartesian_prod(*[torch.arange(n, device="cpu").float()] * 2).norm(dim=1) for n in (16, 8, 8)]
    rank = torch.cat((frequency[0], *(0.5 + CHROMA_RANK * each for each in frequency[1:])))
    return basis[torch.argsort(rank, stable=True)].contiguous()


def _places() -> Tensor:
    """For each value of a packed patch its place among 256 luma pixels and twice 64 chroma pixels, in raster order."""
    luma = torch.arange(256, device="cpu").reshape(2, 4, 2, 2, 4, 2)  # eighths, quarters, halves of rows; of columns
    bright = luma.permute(2, 5, 1, 4, 0, 3).reshape(-1)  # phases first, then places in 4 x 4, then the four octets
    colour = 256 + torch.arange(128, device="cpu").reshape(2, 2, 4, 2, 4).permute(0, 2, 4, 1, 3).reshape(-1)
    return torch.cat((bright, colour))


class Transform(nn.Module):
    """Packed pictures [N, 96 f, h, w] <-> latent [N, 384 f, h/2, w/2], float32, orthonormal.

    The pictures of a sample go through a DCT over time, too. Coefficients of one patch frequency (one for each temporal
    frequency) are side by side, so that channels go from low to high frequency.
    """

    basis: Tensor
    time: Tensor | None  # None for single pictures

    def __init__(self, pictures: int) -> None:
        super().__init__()
        self.pictures = pictures
        self.register_buffer("basis", patch_basis())
        self.register_buffer("time", dct(pictures) if pictures > 1 else None)

    def forward(self, packed: Tensor) -> Tensor:
        """Pictures to latent."""
        with torch.autocast(packed.device.type, enabled=False):  # pixels pass through: float32 whatever surrounds it
            patches = F.pixel_unshuffle(packed.float(), 2)
            count, _, height, width = patches.shape
            each = patches.reshape(count * self.pictures, PATCH, height, width)
            latent = F.conv2d(each, self.basis[:, :, None, None])
            if self.time is None:
                return latent
            mixed = torch.matmul(self.time, latent.reshape(count, self.pictures, -1))
            return mixed.reshape(count, self.pictures, PATCH, -1).transpose(1, 2).reshape(count, -1, height, width)

    def inverse(self, latent: Tensor) -> Tensor:
        """Latent to pictures."""
        with torch.autocast(latent.device.type, enabled=False):
            count, _, height, width = latent.shape
            each = latent.float()
            if self.time is not None:
                apart = each.reshape(count, PATCH, self.pictures, -1).transpose(1, 2).reshape(count, self.pictures, -1)
                each = torch.matmul(self.time.t(), apart).reshape(count * self.pictures, PATCH, height, width)
            patches = F.conv2d(each, self.basis.t()[:, :, None, None])
            return F.pixel_shuffle(patches.reshape(count, -1, height, width), 2)
