"""The `onedva` family: as many tokens as the video needs, in the loop of hivae, and its painters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from xvcodec.codec.family import GopCodec
from xvcodec.codec.onedva import OnedvaCodec
from xvcodec.codec.onedva_contexts import OnedvaContexts
from xvcodec.codec.token_contexts import TokenContexts
from xvcodec.errors import ModelError
from xvcodec.families.base import Fitted, same_edition
from xvcodec.families.hivae import CODES_LIKE, HivaeFamily
from xvcodec.models.base import Model
from xvcodec.models.onedva import EDITION, OneDva, OneDvaConfig
from xvcodec.models.weights import LoadedModel, load_model, shipped
from xvcodec.runtime.base import Runtime

TOKENS = "tokens."
"""How the names of the contexts of tokens begin in a weights file."""


class OnedvaFamily(HivaeFamily):
    """See `Family`; what is not here is as of hivae."""

    config = OneDvaConfig
    about = {"onedva": "progressive: tokens that any prefix of can be decoded"}  # noqa: RUF012

    def build(self, config: Any) -> OneDva:
        """See `Family.build`."""
        return OneDva(config)

    def skeleton(self, config: Any) -> OneDva:
        """See `Family.skeleton`."""
        return OneDva(config)

    def check(self, model: Model) -> None:
        """See `Family.check`: contexts check themselves."""
        assert isinstance(model, OneDva)
        same_edition(model.config.edition, EDITION)

    def extras(self, arrays: dict[str, NDArray[Any]]) -> OnedvaContexts:
        """The contexts of motion fields, of coefficients and of tokens."""
        tokens = {name.removeprefix(TOKENS): array for name, array in arrays.items() if name.startswith(TOKENS)}
        return OnedvaContexts(**vars(super().extras(arrays)), tokens=TokenContexts.from_tensors(tokens))

    def extra_arrays(self, extras: Any) -> dict[str, NDArray[Any]]:
        """See `Family.extra_arrays`."""
        assert isinstance(extras, OnedvaContexts)
        return super().extra_arrays(extras) | {TOKENS + name: array for name, array in extras.tokens.to_tensors().items()}

    def codec(self, model: LoadedModel, runtime: Runtime) -> GopCodec:
        """See `Family.codec`."""
        return OnedvaCodec(model, runtime)

    def recipes(self) -> dict[str, Any]:
        """See `Family.recipes`."""
        from xvcodec.training.onedva import RECIPES

        return dict(RECIPES)

    def task(self, recipe: Any, model: Model, device: torch.device, fitted: Path | None = None) -> Any:
        """See `Family.task`."""
        from xvcodec.training.onedva import OnedvaTask

        assert isinstance(model, OneDva)
        return OnedvaTask(recipe, model, device)

    def fitted(self, path: Path | None) -> Fitted:
        """Contexts of tokens out of a file of tools/fit_tokens.py, else those of a shipped model, else by formula; the
        others are those of the model that it codes like."""
        model = load_model(CODES_LIKE)
        if path is not None:
            try:
                tokens = TokenContexts.from_tensors(dict(load_file(path)))
            except (OSError, SafetensorError, KeyError, ValueError) as error:
                raise ModelError(f"{path} holds no fitted contexts ({error}): make it with tools/fit_tokens.py") from None
        else:
            known = [name for name in self.about if name in shipped()]
            tokens = load_model(known[0]).extras.tokens if known else TokenContexts.default()
        return Fitted(model.tables, OnedvaContexts(**vars(model.extras), tokens=tokens))


FAMILY = OnedvaFamily()
