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

KEY = "key.refiner."
_AT = {"anchor": 2, "between": 4}


def with_sizes(module: Crossmodal, sizes: Mapping[str, tuple[int, int]], fine: bool, paired: bool) -> Crossmodal:
    """A copy of a model with filters of some sizes (channels and blocks) for "anchor" and "between".

    Those of other sizes or another kind than the model's own begin at no change.

    Args:
        fine: whether that of anchors is an `AnchorFilter`. paired: whether that of frames between is a `BetweenFilter`.
    """
    old, refiners = module.config, list(module.config.refiners)
    for kind, at in _AT.items():
        refiners[at : at + 2] = sizes[kind]
    config = replace(old, refiners=tuple(refiners), fine=fine, paired=paired)
    same = {"anchor": old.fine == fine and old.refiners[2:4] == config.refiners[2:4],
            "between": old.paired == paired and old.refiners[4:] == config.refiners[4:]}
    return _renewed(module, config, tuple(f"{kind}.refiner." for kind in _AT if not same[kind]))


def save_filters(module: Crossmodal, path: Path) -> None:
    """Write the filters of a model's predicted pictures."""
    config, parts = module.config, tuple(f"{kind}.refiner." for kind in _AT)
    state = {name: value.contiguous() for name, value in module.state_dict().items() if name.startswith(parts)}
    save_file(state, path, metadata={"refiners": json.dumps([*config.refiners[2:], config.fine, config.paired])})


def with_filters(module: Crossmodal, path: Path) -> Crossmodal:
    """A copy of a model with the filters of a file that `save_filters` wrote."""
    with safe_open(path, "pt") as file:
        anchor, blocks, between, more, fine, paired = json.loads(file.metadata()["refiners"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is not a mapping
    made = with_sizes(module, {"anchor": (anchor, blocks), "between": (between, more)}, fine, paired)
    made.load_state_dict(made.state_dict() | state)
    return made


def with_key_size(module: Crossmodal, size: tuple[int, int]) -> Crossmodal:
    """A copy of a model with a `KeyFilter` (channels and blocks) behind key frames: its own, or one at no change."""
    config = replace(module.config, refiners=(*size, *module.config.refiners[2:]), dense=True)
    return _renewed(module, config, () if config == module.config else (KEY,))


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
    made = type(module)(config)
    state = {name: value for name, value in module.state_dict().items() if not name.startswith(parts)}
    fresh = {name: value for name, value in made.state_dict().items() if name.startswith(parts)}
    made.load_state_dict(copy.deepcopy(state) | fresh)
    return made.eval().requires_grad_(False)
