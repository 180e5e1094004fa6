"""Loop filters of predicted pictures apart from their model: sizes, and files that hold nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

from xvcodec.models.crossmodal import Crossmodal

PARTS = ("anchor.refiner.", "between.refiner.")
_AT = {"anchor": 2, "between": 4}


def with_sizes(module: Crossmodal, sizes: Mapping[str, tuple[int, int]]) -> Crossmodal:
    """A copy of a model with new loop filters (channels and blocks) for "anchor" and "between": they change nothing yet."""
    refiners = list(module.config.refiners)
    for kind, at in _AT.items():
        refiners[at : at + 2] = sizes[kind]
    made = Crossmodal(replace(module.config, refiners=tuple(refiners)))
    state = {name: value for name, value in module.state_dict().items() if not name.startswith(PARTS)}
    fresh = {name: value for name, value in made.state_dict().items() if name.startswith(PARTS)}
    made.load_state_dict(copy.deepcopy(state) | fresh)
    return made.eval().requires_grad_(False)


def save_filters(module: Crossmodal, path: Path) -> None:
    """Write the loop filters of a model."""
    state = {name: value.contiguous() for name, value in module.state_dict().items() if name.startswith(PARTS)}
    save_file(state, path, metadata={"refiners": json.dumps(module.config.refiners[2:])})


def with_filters(module: Crossmodal, path: Path) -> Crossmodal:
    """A copy of a model with the loop filters of a file that `save_filters` wrote."""
    with safe_open(path, "pt") as file:
        anchor, blocks, between, more = json.loads(file.metadata()["refiners"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is not a mapping
    made = with_sizes(module, {"anchor": (anchor, blocks), "between": (between, more)})
    made.load_state_dict(made.state_dict() | state)
    return made
