"""Weights as files: `<model>-<first 8 hex digits of the hash>.safetensors`, read without pickle, checked by hash.

One file holds the networks (float16, integer networks as integers), the probability tables and what else the family's
codec needs; its metadata names the family and the sizes. The hash is the SHA-256 of the file, and a stream names
model and hash, so that it is decoded with exactly what it was coded with.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from xvc_bitstream.tables import TableSet

from xvcodec.errors import ModelError
from xvcodec.families import family, family_of
from xvcodec.families.base import Family
from xvcodec.models.base import Model

MAX_SIZE = 4096
"""No width, depth or channel count of ours comes near this."""
MAX_BYTES = 64 << 20
"""No weights file of ours comes near this; a larger one is refused before it is read."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to code."""

    name: str
    module: Model  # eval mode, float32, integer scale networks baked
    tables: TableSet  # 64 tables, shared by all streams
    extras: Any  # what else the family's codec needs, see `Family.extras`
    hash: bytes  # SHA-256 of the file
    path: Path

    @property
    def graphs(self) -> Path | None:
        """Folder of the model's ONNX graphs when they ship beside the weights; they hold no weights themselves."""
        folder = self.path.parent / "graphs" / self.name
        return folder if folder.is_dir() else None

    @property
    def parameters(self) -> int:
        """Number of weights, integer ones included, constants not."""
        known = family_of(self.module).constants(self.module)
        return sum(value.numel() for name, value in self.module.state_dict().items() if name not in known)


def _narrow(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() else value


def arrays_of(tables: TableSet) -> dict[str, NDArray[Any]]:
    """Tables as the arrays that a weights file keeps."""
    return {"tables.frequencies": tables.frequencies.astype(np.uint16),
            "tables.lowest": np.array([tables.lowest], np.int32)}


def tables_from(arrays: Mapping[str, NDArray[Any]]) -> TableSet:
    """The inverse of `arrays_of`; raises KeyError for a missing array, and UsageError for wrong ones."""
    frequencies = arrays["tables.frequencies"].astype(np.int64)
    return TableSet(np.pad(np.cumsum(frequencies, axis=1), ((0, 0), (1, 0))), int(arrays["tables.lowest"][0]))


def save_model(module: Model, tables: TableSet, extras: Any, folder: Path) -> Path:
    """Write a baked model into `folder` under its hashed name and return the path."""
    family = family_of(module)
    constants = family.constants(module)
    tensors = {f"net.{name}": _narrow(value).contiguous() for name, value in module.state_dict().items()
               if name not in constants}
    tensors |= {name: torch.from_numpy(array) for name, array in (arrays_of(tables) | family.extra_arrays(extras)).items()}
    data = save(tensors, metadata={"family": module.config.family, "config": json.dumps(asdict(module.config))})
    path = folder / f"{module.config.name}-{hashlib.sha256(data).hexdigest()[:8]}.safetensors"
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    os.replace(partial, path)
    return path


def load_file(path: Path) -> LoadedModel:
    """Read a weights file.

    Raises:
        ModelError: it is missing, too large, damaged, of another family, or its hash is not the one in its name.
    """
    if not path.is_file():
        raise ModelError(f"no weights file {path}: run `xvc models` for the ones there are")
    if path.stat().st_size > MAX_BYTES:
        raise ModelError(f"{path.name} is larger than {MAX_BYTES >> 20} MiB, so it holds no weights of ours")
    data = path.read_bytes()
    digest = hashlib.sha256(data).digest()
    if not path.stem.endswith(digest.hex()[:8]):
        raise ModelError(f"{path.name} is damaged or renamed: its hash begins {digest.hex()[:8]}; install xvc again")
    try:
        tensors = load(data)
        metadata = _metadata(data)
        its = family(metadata["family"])
        return _assemble(its, _config(its, metadata["config"]), tensors, digest, path)
    except (SafetensorError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path.name} does not hold a model of this version: {error}") from None


def _metadata(data: bytes) -> dict[str, str]:
    size = int.from_bytes(data[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(data[8 : 8 + size])
    return header["__metadata__"]


def _config(family: Family, text: str) -> Any:
    """Sizes from a file's metadata; ValueError for one that no model of ours has, before anything is built with it."""
    values = json.loads(text)
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    config = family.config(**values)
    for name, value in asdict(config).items():
        sizes, least = (value, 0) if isinstance(value, tuple) else ((value,), 1)  # a part in a list may be left out
        if any(isinstance(size, int) and not isinstance(size, bool) and not least <= size <= MAX_SIZE for size in sizes):
            raise ValueError(f"{name} is out of range")
    return config


def _assemble(family: Family, config: Any, tensors: dict[str, torch.Tensor], digest: bytes, path: Path) -> LoadedModel:
    with torch.device("meta"):  # nothing is allocated for sizes that the tensors turn out not to have
        module = family.skeleton(config)
    state = {name.removeprefix("net."): value for name, value in tensors.items() if name.startswith("net.")}
    module.load_state_dict({name: value.float() if value.dtype == torch.float16 else value
                            for name, value in state.items()} | family.constants(module), assign=True)
    family.check(module)
    arrays = {name: value.numpy() for name, value in tensors.items() if not name.startswith("net.")}
    extras = family.extras({name: array for name, array in arrays.items() if not name.startswith("tables.")})
    return LoadedModel(config.name, module.eval().requires_grad_(False), tables_from(arrays), extras, digest, path)


def shipped() -> dict[str, Path]:
    """Models in the package by name."""
    folder = Path(str(files("xvcodec") / "weights"))
    found = {path.stem.rsplit("-", 1)[0]: path for path in sorted(folder.glob("*.safetensors"))}
    return {name: path for name, path in sorted(found.items()) if not name.startswith("text-")}


@cache
def load_model(name: str) -> LoadedModel:
    """A shipped model by name, or a weights file by path (ending in .safetensors); loaded once."""
    if name.endswith(".safetensors"):
        return load_file(Path(name))
    models = shipped()
    if name not in models:
        raise ModelError(f"there is no model {name!r}: choose {' or '.join(models)}, or give a .safetensors file")
    return load_file(models[name])


def load_for(name: str, digest: bytes, given: str | None = None) -> LoadedModel:
    """The model that a stream names. `name` comes from a stranger's file and never becomes a path.

    Args:
        name, digest: model and hash from the stream's header.
        given: a weights file the user points at, instead of the shipped ones.
    """
    if given is None and name not in shipped():
        raise ModelError(f"the file was made with model {name!r}, which this version does not have: pass --model FILE")
    model = load_model(given or name)
    if model.hash != digest:
        raise ModelError(f"the file was made with other weights of {name} (hash {digest.hex()[:8]}, here "
                         f"{model.hash.hex()[:8]}): install the xvc version that wrote it, or pass --model FILE")
    return model
