"""From a checkpoint to weights that ship: average the weights, freeze the integer networks, store the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from xvc_bitstream.tables import TableSet, log_scales

from xvcodec.families import FAMILIES, family, family_of
from xvcodec.models.base import Model
from xvcodec.models.integer import TABLES
from xvcodec.models.weights import save_model
from xvcodec.training.rate import LARGEST, SMALLEST

REACH = 127
"""Symbols from -127 to 127 have entries of their own; larger ones are escaped. Each entry takes at least 1/65536 of its
table, which the skipped narrow tables do not pay."""


def averaged(checkpoint: Path) -> Model:
    """The averaged model of a checkpoint, still with trainable integer networks."""
    saved = torch.load(checkpoint, weights_only=True)
    config: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                              for name, value in saved["recipe"]["model"].items()}
    its = family(saved.get("family", FAMILIES[0]))  # checkpoints of when there was one family do not name it
    model = its.build(its.config(**config))
    model.load_state_dict(saved["average"])
    return model.eval().requires_grad_(False)


def bake(checkpoint: Path, folder: Path, extras: Any = None) -> Path:
    """Write the weights file of a checkpoint into `folder`; raises ValueError when the exactness bound fails.

    Args:
        extras: what the family's codec needs besides networks and tables, see `Family.fitted`.
    """
    model = averaged(checkpoint)
    family_of(model).freeze(model)
    tables = TableSet.laplace(log_scales(TABLES, SMALLEST, LARGEST), REACH)
    return save_model(model, tables, extras, folder)
