"""The `onedva` family: as many tokens as the video needs, and a painter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from xvcodec.codec import painting
from xvcodec.codec.family import GopCodec
from xvcodec.codec.fields import FieldContexts
from xvcodec.codec.onedva import Contexts, OnedvaCodec
from xvcodec.codec.token_contexts import TokenContexts, tables
from xvcodec.errors import ModelError
from xvcodec.families.base import Family, Fitted, same_edition
from xvcodec.models import painter_steps as steps
from xvcodec.models.base import Model
from xvcodec.models.onedva import EDITION, OneDva, OneDvaConfig
from xvcodec.models.weights import LoadedModel, load_model, shipped
from xvcodec.runtime.base import Runtime

FIELDS, TOKENS = "fields.", "contexts."
"""How the names of the contexts of motion fields and of tokens begin in a weights file."""


class OnedvaFamily(Family):
    """See `Family`."""

    config = OneDvaConfig
    about = {"onedva": "progressive: tokens that any prefix of can be decoded"}  # noqa: RUF012
    steps = steps.STEPS

    def build(self, config: OneDvaConfig) -> OneDva:
        """See `Family.build`."""
        return OneDva(config)

    def freeze(self, model: Model) -> None:
        """See `Family.freeze`: there is nothing to bake, no network chooses a table."""

    def skeleton(self, config: OneDvaConfig) -> OneDva:
        """See `Family.skeleton`."""
        return OneDva(config)

    def check(self, model: Model) -> None:
        """See `Family.check`: contexts check themselves."""
        assert isinstance(model, OneDva)
        same_edition(model.config.edition, EDITION)

    def extras(self, arrays: dict[str, NDArray[Any]]) -> Contexts:
        """The contexts of motion fields and of tokens."""
        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

        return Contexts(FieldContexts.from_tensors(part(FIELDS)), TokenContexts.from_tensors(part(TOKENS)))

    def extra_arrays(self, extras: Contexts) -> dict[str, NDArray[Any]]:
        """See `Family.extra_arrays`."""
        parts = ((FIELDS, extras.fields.to_tensors()), (TOKENS, extras.tokens.to_tensors()))
        return {prefix + name: array for prefix, tensors in parts for name, array in tensors.items()}

    def modules(self, model: Model) -> dict[str, nn.Module]:
        """See `Family.modules`."""
        assert isinstance(model, OneDva)
        return steps.build_steps(model)

    def example_inputs(self, model: Model, step: str, height: int, width: int, count: int = 1,
                       tokens: int = 4) -> tuple[Tensor, ...]:
        """See `Family.example_inputs`."""
        assert isinstance(model, OneDva)
        return steps.example_inputs(model, step, height, width, count, tokens)

    def output_shapes(self, model: Model, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
        """See `Family.output_shapes`."""
        assert isinstance(model, OneDva)
        return steps.output_shapes(step, inputs)

    def runs(self, frames: int) -> Mapping[str, tuple[float, float]]:
        """Every frame is painted, by decoders alone."""
        return painting.runs(frames)

    def codec(self, model: LoadedModel, runtime: Runtime) -> GopCodec:
        """See `Family.codec`."""
        return OnedvaCodec(model, runtime)

    def recipes(self) -> Mapping[str, Any]:
        """See `Family.recipes`."""
        from xvcodec.training.onedva import RECIPES

        return RECIPES

    def task(self, recipe: Any, model: Model, device: torch.device, fitted: Path | None = None) -> Any:
        """See `Family.task`."""
        from xvcodec.training.onedva import OnedvaTask

        assert isinstance(model, OneDva)
        return OnedvaTask(recipe, model, device)

    def fitted(self, path: Path | None) -> Fitted:
        """Contexts out of a file of tools/fit_tokens.py, else those of a shipped model, else by formula."""
        if path is not None:
            try:
                return Fitted(tables(), self.extras(dict(load_file(path))))
            except (OSError, SafetensorError, KeyError, ValueError) as error:
                raise ModelError(f"{path} holds no fitted contexts ({error}): make it with tools/fit_tokens.py") from None
        known = [name for name in self.about if name in shipped()]
        extras = load_model(known[0]).extras if known else Contexts(FieldContexts.default(), TokenContexts.default())
        return Fitted(tables(), extras)


FAMILY = OnedvaFamily()
