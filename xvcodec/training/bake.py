"""From a checkpoint to weights that ship: average the weights, freeze the integer networks, store the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load_file
from xvc_bitstream.tables import TableSet, log_scales

from xvcodec.codec.fields import FieldContexts
from xvcodec.models.crossmodal import Crossmodal, CrossmodalConfig
from xvcodec.models.integer import TABLES, IntegerScales
from xvcodec.models.steps import KINDS
from xvcodec.models.weights import load_model, save_model, shipped
from xvcodec.training.rate import LARGEST, SMALLEST

REACH = 127
"""Symbols from -127 to 127 have entries of their own; larger ones are escaped. Each entry takes at least 1/65536 of its
table, which the skipped narrow tables do not pay."""


def averaged(checkpoint: Path) -> Crossmodal:
    """The averaged model of a checkpoint, still with trainable integer networks."""
    saved = torch.load(checkpoint, weights_only=True)
    config: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
              for name, value in saved["recipe"]["model"].items()}
    model = Crossmodal(CrossmodalConfig(**config))
    model.load_state_dict(saved["average"])
    return model.eval().requires_grad_(False)


def bake(checkpoint: Path, folder: Path, contexts: FieldContexts) -> Path:
    """Write the weights file of a checkpoint into `folder`; raises ValueError when the exactness bound fails."""
    model = averaged(checkpoint)
    for kind in KINDS:
        prior = getattr(model, kind).prior
        prior.scales = IntegerScales.bake(prior.scales)
    tables = TableSet.laplace(log_scales(TABLES, SMALLEST, LARGEST), REACH)
    return save_model(model, tables, contexts, folder)


def contexts_from(path: Path | None) -> FieldContexts:
    """Contexts of the motion fields: fitted ones from a file of tools/fit_fields.py, else those of a shipped model."""
    if path is not None:
        return FieldContexts.from_tensors(load_file(path))
    models = shipped()
    return load_model(next(iter(models))).contexts if models else FieldContexts.default()
