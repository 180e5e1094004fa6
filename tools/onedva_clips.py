"""What the tools that study onedva share: clips as planes, the codec, and motion that is searched for once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from xvcodec.codec.family import PassStream, Planes
from xvcodec.codec.onedva import OnedvaCodec, threshold
from xvcodec.codec.onedva_bands import search
from xvcodec.codec.planes import to_planes
from xvcodec.codec.token_contexts import REACH
from xvcodec.media import Frame, open_video
from xvcodec.models.weights import load_model
from xvcodec.runtime.torch_runtime import TorchRuntime


def codec_of(name: str) -> OnedvaCodec:
    """The codec of a model, by name or weights file, on the CPU."""
    model = load_model(name)
    return OnedvaCodec(model, TorchRuntime(model.module, "cpu", "float32"))


def clips(folder: Path, frames: int, names: str | None = None) -> Iterator[tuple[str, Planes]]:
    """Names and planes of the first frames of the clips of a folder's index.jsonl, or of some of them ("bees,frost")."""
    chosen = names.split(",") if names else None
    for line in (folder / "index.jsonl").read_text().splitlines():
        path = folder / json.loads(line)["file"]
        if chosen is None or path.stem in chosen:
            with open_video(path, audio=False) as reader:
                first = list(islice((each for each in reader if isinstance(each, Frame)), frames))
                yield path.stem, to_planes(first, reader.info.bit_depth, 32, torch.device("cpu"))


def motion(name: str, planes: Planes, price: float, quality: float, kept: Path | None) -> NDArray[np.int32]:
    """Motion of a clip searched for at `price` and a quality; searched for once if there is a folder to keep it in."""
    path = kept and kept / f"{name}-{planes.luma.shape[0]}-{price:g}-{quality:g}.npy"
    if path and path.exists():
        return np.asarray(np.load(path), np.int32)
    with torch.inference_mode():
        fields = search(planes.luma, price * threshold(quality))
    if path:
        np.save(path, fields)
    return fields


def bits_of(codec: OnedvaCodec, stream: PassStream) -> float:
    """About what a stream takes, in bits; escaped symbols count as the largest ones."""
    cost = codec.prices.bits
    return sum(float(cost[table, np.clip(symbols, -REACH, REACH) + REACH].sum()) for symbols, table in stream.passes)
