"""Contexts of coefficients as training sees them: the sums of the codec for all positions of a batch at once.

Which table codes a symbol follows from sizes of other symbols; while networks train, weights and tables stay as fitted
and no gradient passes through the sums.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from xvcodec.codec.coefficient_contexts import EDGES, TOP, UNIT, CoefficientContexts
from xvcodec.codec.quantise import SKIP
from xvcodec.models.crossmodal import BETWEEN
from xvcodec.models.quincunx import quincunx


class BatchContexts:
    """The contexts of one kind of picture on a device."""

    def __init__(self, contexts: CoefficientContexts, device: torch.device | str = "cpu") -> None:
        self.always = torch.from_numpy(contexts.layout.groups[0]).to(device)  # no narrow table skips the lowest frequency
        self.around, self.own, self.other, self.bias, self.tables, self.edges = (
            torch.from_numpy(array).to(device) for array in (
                *contexts.matrices(), contexts.bias.astype(np.float32),
                contexts.tables[contexts.layout.classes], EDGES.astype(np.float32)))

    @torch.no_grad()
    def __call__(self, symbols: Tensor, q: Tensor, other: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What is expected of each symbol.

        Args:
            symbols: whole numbers [N, L, h, w].
            q: quality of each picture, [N] in [0, 63].
            other: sizes of another picture's latent, [N, L, h, w], whole numbers from 0 to 2 TOP; None for none.
        Returns:
            mean sizes > 0, and tables (uint8), both [N, L, h, w].
        """
        height, width = symbols.shape[-2:]
        with torch.autocast(symbols.device.type, enabled=False):
            known = _rows(sizes_of(symbols))
            sums = self.bias[q.long()].unsqueeze(1) + known @ self.own
            if other is not None:
                sums += _rows(other) @ self.other
            for step, weights in zip(quincunx(height, width)[1:], self.around, strict=True):
                if step.neighbours is not None and step.places.size:
                    places, near = (torch.from_numpy(each).to(sums.device) for each in (step.places, step.neighbours))
                    sums[:, places] += known[:, near].sum(1) @ weights
            channels = torch.arange(sums.shape[-1], device=sums.device)
            tables = self.tables[channels, torch.bucketize(sums, self.edges, right=True)]
            tables[..., self.always] = tables[..., self.always].clamp_min(SKIP)
            expected = (sums / UNIT).clamp_min(1.0 / UNIT)
        return _latent(expected, height, width), _latent(tables, height, width)


def batch_contexts(latents: Mapping[str, CoefficientContexts], device: torch.device) -> dict[str, BatchContexts]:
    """Of every kind of picture."""
    return {kind: BatchContexts(each, device) for kind, each in latents.items()}


def sizes_of(symbols: Tensor) -> Tensor:
    """Sizes as contexts see them, whole float32 numbers from 0 to TOP, without history."""
    return symbols.detach().float().abs().clamp_max(TOP)


def sizes_beside(after: Tensor, before: Tensor | None) -> Tensor:
    """What frames between two anchors see of the anchors' latents (sizes, [N, L, h, w]), at each temporal frequency.

    Args:
        before: None when that is a key frame, whose patches are others.
    """
    both = after if before is None else after + before
    return both.repeat_interleave(BETWEEN, dim=1)


def _rows(latent: Tensor) -> Tensor:
    """[N, L, h, w] -> [N, h * w, L]."""
    return latent.flatten(2).transpose(1, 2)


def _latent(rows: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `_rows`."""
    return rows.transpose(1, 2).unflatten(2, (height, width))
