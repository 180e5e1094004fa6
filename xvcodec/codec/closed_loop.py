"""What all families share that predict pictures from decoded ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.coefficients import NONE, Take
from xvcodec.codec.family import Ends, Guide, Planes, ReadPass
from xvcodec.errors import UsageError
from xvcodec.models.coder import RATE_WEIGHT, nominal_step

CLOSED = ("this model codes in a closed loop, so it has no latents without a quality: choose a model for latents "
          "(crossmodal-latent), or encode and read the file's integers")


class ClosedLoop:
    """The part of a `GopCodec` that follows from a closed loop."""

    def unquantised(self, analysis: Any, height: int, width: int) -> dict[str, NDArray[Any]]:
        """There are none: they would depend on the quality of what was decoded before."""
        raise UsageError(CLOSED)

    def paint(self, latents: Mapping[str, NDArray[Any]], frames: int, height: int, width: int,
              guide: Guide) -> Iterator[Planes]:
        """There are none: they would depend on the quality of what was decoded before."""
        raise UsageError(CLOSED)

    def ends(self, symbols: Any, quality: float) -> Ends | None:
        """See `GopCodec`."""
        return None

    def price(self, quality: float) -> float:
        """The slope of a uniform quantiser."""
        return RATE_WEIGHT * float(nominal_step(torch.tensor(quality))) ** 2


def coefficients_from(read: ReadPass) -> Take:
    """What takes coefficients out of a stream."""

    def take(places: NDArray[np.intp], channels: slice, table: NDArray[np.uint8]) -> Ints:
        found = np.zeros(table.shape, np.int32)
        kept = table != NONE
        found[kept] = read(table[kept])
        return found

    return take
