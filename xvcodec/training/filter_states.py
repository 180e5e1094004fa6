"""Loop filters apart from their model: sizes, and files that hold nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

from xvcodec.models.crossmodal import Crossmodal, CrossmodalConfig

PARTS = ("anchor.refiner.", "between.refiner.")
KEY = "key.refiner."
_AT = {"anchor": 2, "between": 4}


def with_sizes(module: Crossmodal, sizes: Mapping[str, tuple[int, int]], fine: bool) -> Crossmodal:
    """A copy of a model with new loop filters (channels and blocks) for "anchor" and "between": they change nothing yet.

    Args:
        fine: whether that of anchors is an `AnchorFilter`.
    """
    refiners = list(module.config.refiners)
    for kind, at in _AT.items():
        refiners[at : at + 2] = sizes[kind]
    return _renewed(module, replace(module.config, refiners=tuple(refiners), fine=fine), PARTS)


def save_filters(module: Crossmodal, path: Path) -> None:
    """Write the loop filters of a model."""
    state = {name: value.contiguous() for name, value in module.state_dict().items() if name.startswith(PARTS)}
    save_file(state, path, metadata={"refiners": json.dumps([*module.config.refiners[2:], module.config.fine])})


def with_filters(module: Crossmodal, path: Path) -> Crossmodal:
    """A copy of a model with the loop filters of a file that `save_filters` wrote."""
    with safe_open(path, "pt") as file:
        anchor, blocks, between, more, fine = json.loads(file.metadata()["refiners"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is not a mapping
    made = with_sizes(module, {"anchor": (anchor, blocks), "between": (between, more)}, fine)
    made.load_state_dict(made.state_dict() | state)
    return made


def with_key_size(module: Crossmodal, size: tuple[int, int]) -> Crossmodal:
    """A copy of a model with a new `KeyFilter` (channels and blocks) behind key frames: it changes nothing yet."""
    config = replace(module.config, refiners=(*size, *module.config.refiners[2:]), dense=True)
    return _renewed(module, config, (KEY,))


def save_key_filter(module: Crossmodal, path: Path) -> None:
    """Write the loop filter of key frames of a model that has a `KeyFilter`."""
    state = {name: value.contiguous() for name, value in module.state_dict().items() if name.startswith(KEY)}
    save_file(state, path, metadata={"key": json.dumps(module.config.refiners[:2])})


def with_key_filter(module: Crossmodal, path: Path) -> Crossmodal:
    """A copy of a model with the loop filter of a file that `save_key_filter` wrote."""
    with safe_open(path, "pt") as file:
        width, blocks = json.loads(file.metadata()["key"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is not a mapping
    made = with_key_size(module, (width, blocks))
    made.load_state_dict(made.state_dict() | state)
    return made


def _renewed(module: Crossmodal, config: CrossmodalConfig, parts: tuple[str, ...]) -> Crossmodal:
    """A model of other sizes with the weights of `module`, but for those whose names begin with one of `parts`."""
    made = Crossmodal(config)
    state = {name: value for name, value in module.state_dict().items() if not name.startswith(parts)}
    fresh = {name: value for name, value in made.state_dict().items() if name.startswith(parts)}
    made.load_state_dict(copy.deepcopy(state) | fresh)
    return made.eval().requires_grad_(False)
