"""The `crossmodal` family: closed loop, key frame, anchors and frames between; general coding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from xvcodec.codec.coefficient_contexts import CoefficientContexts
from xvcodec.codec.coefficients import narrowest
from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.crossmodal_contexts import CrossmodalContexts
from xvcodec.codec.family import GopCodec
from xvcodec.codec.field_network import FieldNetwork
from xvcodec.errors import ModelError
from xvcodec.families.base import Family, Fitted, same_edition
from xvcodec.models import steps
from xvcodec.models.base import Model
from xvcodec.models.context import PASSES
from xvcodec.models.crossmodal import CHUNK, EDITION, Crossmodal, CrossmodalConfig
from xvcodec.models.weights import LoadedModel, load_model, shipped, tables_from
from xvcodec.runtime.base import Runtime

FIELDS, LATENTS = "fields.", "latents."
"""How the names of the contexts of motion fields and of coefficients begin in a weights file."""


class CrossmodalFamily(Family):
    """See `Family`."""

    config = CrossmodalConfig
    about = {"crossmodal": "general coding, the default", "crossmodal-fast": "real time on a CPU"}  # noqa: RUF012
    steps = steps.STEPS

    def build(self, config: CrossmodalConfig) -> Crossmodal:
        """See `Family.build`."""
        return Crossmodal(config)

    def freeze(self, model: Model) -> None:
        """See `Family.freeze`: there is nothing to bake, no network chooses a table."""

    def skeleton(self, config: CrossmodalConfig) -> Crossmodal:
        """See `Family.skeleton`."""
        return Crossmodal(config)

    def check(self, model: Model) -> None:
        """See `Family.check`: contexts check themselves."""
        assert isinstance(model, Crossmodal)
        narrowest(model.config.least)
        same_edition(model.config.edition, EDITION)

    def constants(self, model: Model) -> dict[str, Tensor]:
        """The transforms."""
        return {f"{kind}.transform.{name}": value for kind in steps.KINDS
                for name, value in getattr(model, kind).transform.state_dict().items()}

    def extras(self, arrays: dict[str, NDArray[Any]]) -> CrossmodalContexts:
        """The contexts of motion fields and coefficients."""
        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

        latents = {kind: CoefficientContexts.from_tensors(part(f"{LATENTS}{kind}.")) for kind in steps.KINDS}
        return CrossmodalContexts(FieldNetwork.from_tensors(part(FIELDS)), latents)

    def extra_arrays(self, extras: CrossmodalContexts) -> dict[str, NDArray[Any]]:
        """See `Family.extra_arrays`."""
        arrays: dict[str, NDArray[Any]] = {FIELDS + name: array for name, array in extras.fields.to_tensors().items()}
        for kind, contexts in extras.latents.items():
            arrays |= {f"{LATENTS}{kind}.{name}": array for name, array in contexts.to_tensors().items()}
        return arrays

    def modules(self, model: Model) -> dict[str, nn.Module]:
        """See `Family.modules`."""
        assert isinstance(model, Crossmodal)
        return steps.build_steps(model)

    def example_inputs(self, model: Model, step: str, height: int, width: int, count: int = 1,
                       tokens: int = 4) -> tuple[Tensor, ...]:
        """See `Family.example_inputs`."""
        assert isinstance(model, Crossmodal)
        return steps.example_inputs(model, step, height, width, count, tokens)

    def output_shapes(self, model: Model, step: str, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
        """See `Family.output_shapes`."""
        assert isinstance(model, Crossmodal)
        return steps.output_shapes(model, step, inputs)

    def runs(self, frames: int) -> Mapping[str, tuple[float, float]]:
        """One key frame, then an anchor and the frames between in each chunk; the encoder decodes, too."""
        chunks = (frames - 1) / CHUNK
        times = {"key": 1.0, "anchor": chunks, "between": chunks}
        only = ("analyse", "context", "cut")  # of the encoder, which goes pass by pass
        each = {"context": PASSES - 1, "cut": PASSES, "join": PASSES}
        return {name: (times[kind] * each.get(what, 1), 0.0 if what in only else times[kind])
                for name in steps.STEPS for kind, what in [name.split(".")]}

    def codec(self, model: LoadedModel, runtime: Runtime) -> GopCodec:
        """See `Family.codec`."""
        return CrossmodalCodec(model, runtime)

    def recipes(self) -> Mapping[str, Any]:
        """See `Family.recipes`."""
        from xvcodec.training.crossmodal import RECIPES

        return RECIPES

    def task(self, recipe: Any, model: Model, device: torch.device, fitted: Path | None = None) -> Any:
        """See `Family.task`."""
        from xvcodec.training.crossmodal import CrossmodalTask

        assert isinstance(model, Crossmodal)
        return CrossmodalTask(recipe, model, device, self.fitted(fitted).extras.latents)

    def fitted(self, path: Path | None) -> Fitted:
        """Contexts and tables out of a file of tools/fit_contexts.py, else those of a shipped model."""
        from xvcodec.training.rate import laplace_tables

        if path is not None:
            return self._read(path)
        known = [name for name in self.about if name in shipped()]
        if not known:
            return Fitted(laplace_tables(), CrossmodalContexts.default())
        model = load_model(known[0])
        return Fitted(model.tables, model.extras)

    def _read(self, path: Path) -> Fitted:
        try:
            arrays: dict[str, NDArray[np.generic]] = dict(load_file(path))
            return Fitted(tables_from(arrays), self.extras(arrays))
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"{path} holds no fitted contexts ({error}): make it with tools/fit_contexts.py") from None


FAMILY = CrossmodalFamily()
