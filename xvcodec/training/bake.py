"""From a checkpoint to weights that ship: average the weights, freeze integer networks, add what was fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from xvcodec.families import FAMILIES, family, family_of
from xvcodec.models.base import Model
from xvcodec.models.weights import save_model


def averaged(checkpoint: Path) -> Model:
    """The averaged model of a checkpoint, still with trainable integer networks."""
    saved = torch.load(checkpoint, weights_only=True)
    config: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                              for name, value in saved["recipe"]["model"].items()}
    its = family(saved.get("family", FAMILIES[0]))  # checkpoints of when there was one family do not name it
    model = its.build(its.config(**config))
    model.load_state_dict(saved["average"])
    return model.eval().requires_grad_(False)


def bake(checkpoint: Path, folder: Path, fitted: Path | None = None) -> Path:
    """Write the weights file of a checkpoint into `folder`; raises ValueError when the exactness bound fails.

    Args:
        fitted: what was fitted to symbols, see `Family.fitted`; the usual when not given.
    """
    model = averaged(checkpoint)
    its = family_of(model)
    its.freeze(model)
    found = its.fitted(fitted)
    return save_model(model, found.tables, found.extras, folder)
