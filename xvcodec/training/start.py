"""A model that codes well from its first step: what neighbours tell is fitted before the networks train."""

from __future__ import annotations

import torch

from xvcodec.models.coder import KeyCoder
from xvcodec.models.context import PASSES, neighbours, pass_of
from xvcodec.models.crossmodal import pack
from xvcodec.training.data import Clips


@torch.no_grad()
def set_context(coder: KeyCoder, clips: Clips, batches: int = 60) -> None:
    """Fit the context of a coder by least squares to original pictures, quantised at random qualities."""
    channels = coder.context.channels
    products = torch.zeros(PASSES - 1, 4 * channels, 4 * channels, dtype=torch.float64)
    targets = torch.zeros(PASSES - 1, 4 * channels, channels, dtype=torch.float64)
    for batch in range(batches):
        pictures = clips.photographs(4, 256) if batch % 2 else clips.clips(4, 1, 256)
        step = coder.log_step(torch.rand(4, device=clips.device) * 50.0).exp()[:, :channels]
        truth = coder.transform(pack(pictures.luma[:, 0], pictures.chroma[:, 0]))[:, :channels]
        decoded, order = (truth / step).round() * step, pass_of(truth.shape[-2], truth.shape[-1], truth.device)
        for number in range(1, PASSES):
            known = (order < number).float()
            near = torch.cat(neighbours(decoded * known, known, number), dim=1).movedim(1, -1)[:, order == number]
            near = near.flatten(0, -2).double()
            products[number - 1] += near.T @ near
            targets[number - 1] += near.T @ truth.movedim(1, -1)[:, order == number].flatten(0, -2).double()
    ridge = products.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * 1e-3 * torch.eye(4 * channels)
    coder.context.weight.copy_(torch.linalg.solve(products + ridge, targets).transpose(1, 2))
