"""The fitted integers of crossmodal models."""

from __future__ import annotations

from dataclasses import dataclass

from xvcodec.codec.coefficient_contexts import CoefficientContexts
from xvcodec.codec.field_network import FieldNetwork
from xvcodec.models.coder import KEY_PATCH
from xvcodec.models.crossmodal import BETWEEN, PATCH

LATENT_SIZES = {"key": (KEY_PATCH, 1), "anchor": (PATCH, 1), "between": (PATCH, BETWEEN)}
"""Side of the patches and number of pictures of each kind of latent."""


@dataclass(frozen=True)
class CrossmodalContexts:
    """The fitted integers of a model: which tables code its streams. ValueError for contexts of other latents."""

    fields: FieldNetwork
    latents: dict[str, CoefficientContexts]  # "key", "anchor", "between"

    def __post_init__(self) -> None:
        if {kind: (each.patch, each.pictures) for kind, each in self.latents.items()} != LATENT_SIZES:
            raise ValueError("the contexts of coefficients are not those of key frames, anchors and frames between")

    @classmethod
    def default(cls) -> CrossmodalContexts:
        """Plausible ones by formula, not fitted."""
        latents = {kind: CoefficientContexts.default(*size) for kind, size in LATENT_SIZES.items()}
        return cls(FieldNetwork.default(), latents)
