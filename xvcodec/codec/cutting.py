"""How the encoder cuts the patches of a key frame (`xvcodec.models.cuts`): it tries every way with the tables of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.coefficient_contexts import Floats, Ints
from xvcodec.codec.coefficients import NONE, Trial
from xvcodec.codec.cut_maps import SYMBOLS
from xvcodec.models.cuts import CUTS, LUMA

if TYPE_CHECKING:
    from xvcodec.codec.crossmodal import CrossmodalCodec

USUAL = 23
"""Table by which a cut is taken to be coded."""


class Cutter:
    """Cuts the patches of one key frame, one step of the order of coding after the other.

    A guess from sizes alone is not enough: it found 5 to 9 % fewer bits, and files grew by 4 %.

    Args of the constructor:
        q: quality of its areas, [1, 1, H/32, W/32], on the runtime's device.
        shape: of its latent, [1, 384, h, w].
    """

    def __init__(self, codec: CrossmodalCodec, q: Tensor, shape: torch.Size) -> None:
        self.codec, self.q, self.cuts = codec, q, codec.module.config.cuts
        self.order = codec.contexts["key"].order
        self.map = np.zeros(shape[2:], np.int32)
        """Number of each patch's cut, so far."""

    def cut(self, rest: Tensor, places: NDArray[np.intp], trial: Trial) -> Floats:
        """Cut some patches as costs least.

        Args:
            rest: what is left of the latent after the means, in quantiser steps.
            places: of the patches, [P].
            trial: goes over these patches, see `Contexts.walk`.
        Returns:
            what is to be rounded there, [P, 384], in the order of coding.
        """
        whole = rest[0].flatten(1)[:, places].T.float().cpu().numpy()
        if not self.cuts:
            return whole[:, self.order]
        candidates, steps = (each[0].flatten(1)[:, places].cpu().numpy()
                             for each in self.codec.runtime.run("key.cut", (rest, self.q)))
        tried = np.repeat(whole[None], CUTS, 0)  # [CUTS, P, 384]
        tried[:, :, LUMA.numpy()] = candidates.reshape(CUTS, -1, len(places)).transpose(0, 2, 1)
        weight = np.ones_like(whole)  # of errors: what a step of the channel is in pictures
        weight[:, LUMA.numpy()] = np.square(steps / steps.mean(0)).T
        cost = self._cost(tried[..., self.order], weight[:, self.order], trial)
        best = cost.argmin(0)
        self.map.ravel()[places] = best
        return tried[best, np.arange(len(places))][:, self.order]

    def _cost(self, tried: Floats, weight: Floats, trial: Trial) -> Floats:
        """Squared error and what the bits are worth of every cut of every patch, [CUTS, P]; [CUTS, P, 384] and [P, 384]."""
        quantiser = self.codec.quantiser
        rows, bits = tried.reshape(-1, tried.shape[2]), np.zeros(tried.shape[:2], np.float32)

        def take(some: NDArray[np.intp], channels: slice, table: NDArray[np.uint8]) -> Ints:
            found = quantiser.whole(rows[some, channels], table)
            bits.ravel()[some] += np.where(table != NONE, quantiser.bits(found, table), 0.0).sum(1)
            return found

        symbols = trial(CUTS, take).reshape(tried.shape)
        bits += quantiser.bits(SYMBOLS, np.full(CUTS, USUAL, np.uint8))[:, None]
        cost: Floats = (np.square(tried - symbols) * weight).sum(2) + quantiser.price * bits
        return cost

    def join(self, symbols: Tensor) -> Tensor:
        """Symbols [1, 384, h, w] as they are without cuts, on the runtime's device."""
        symbols = symbols.to(self.q.device)
        if not self.cuts:
            return symbols
        cuts = torch.from_numpy(self.map[None, None].astype(np.float32)).to(self.q.device)
        return self.codec.runtime.run("key.join", (symbols, cuts, self.q))[0]
