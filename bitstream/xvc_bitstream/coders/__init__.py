"""Entropy coders behind one interface: `get_coder("constriction")`, `get_coder("torchac")`, or by id."""

from __future__ import annotations

from ..errors import CoderError
from .base import Coder, bits

NAMES = {1: "torchac", 2: "constriction"}


def get_coder(which: str | int) -> Coder:
    """The coder with this name or id. Nothing is built or imported that the other coder needs.

    Raises CoderError for an unknown one.
    """
    name = NAMES.get(which, "") if isinstance(which, int) else which
    if name == "constriction":
        from .constriction_coder import ConstrictionCoder

        return ConstrictionCoder()
    if name == "torchac":
        from .torchac_coder import TorchacCoder

        return TorchacCoder()
    raise CoderError(f"there is no entropy coder {which!r}; use constriction or torchac")


__all__ = ["Coder", "bits", "get_coder"]
