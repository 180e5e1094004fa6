"""The golden streams in tests/vectors: every runtime reads the same integers, and pictures within a tolerance.

The streams belong to the weights that ship; when those change, `python tools/make_vectors.py` makes new ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from vector_facts import INDEX, facts, model_of

from xvcodec.models.weights import shipped
from xvcodec.runtime.base import Runtime
from xvcodec.runtime.torch_runtime import TorchRuntime

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
TOLERANCE = {"torch-float32": (1, 0.02), "torch-bfloat16": (3, 0.2), "onnx": (1, 0.02), "cuda": (3, 0.2)}
"""Largest and mean difference of a sample, 8-bit levels. In bfloat16, and in CUDA's TF32, products are rounded."""
RUNTIMES = [*(name for name in TOLERANCE if name != "cuda"), pytest.param("cuda", marks=pytest.mark.gpu)]


def index() -> dict[str, Any]:
    """What is known of the streams; nothing before the tool has run."""
    path = VECTORS / INDEX
    return json.loads(path.read_text()) if path.is_file() else {}


@pytest.fixture(scope="module", autouse=True)
def vectors_exist() -> None:
    torch.set_num_threads(1)
    if not index():
        pytest.skip("there are no golden streams yet: python tools/make_vectors.py makes them")


@cache
def runtime_for(name: str, file: str) -> Runtime:
    """The stream's model on a runtime; skips where that is not there."""
    model = model_of(VECTORS / file)
    if name == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("there is no CUDA device")
        return TorchRuntime(model.module, "cuda:0", "float32")
    if name == "onnx":
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
        if model.graphs is None:
            pytest.importorskip("onnx", reason="exporting graphs needs onnx")
        from xvcodec.runtime.onnx_runtime import OnnxRuntime

        return OnnxRuntime(model.module, model.graphs, "cpu", 1)
    return TorchRuntime(model.module, "cpu", name.removeprefix("torch-"))


@pytest.fixture(scope="module", autouse=True)
def runtimes_are_closed() -> Iterator[None]:
    yield
    runtime_for.cache_clear()


def test_the_streams_are_those_of_the_shipped_models() -> None:
    """They must be made anew together with the weights."""
    known = index()
    assert {entry["model"] for entry in known.values()} == set(shipped())
    for file, entry in known.items():
        assert model_of(VECTORS / file).hash.hex() == entry["model_hash"], "run python tools/make_vectors.py"


@pytest.mark.parametrize("file", sorted(index()) or ["none"])
@pytest.mark.parametrize("name", RUNTIMES)
def test_stream(name: str, file: str) -> None:
    expected = index()[file]
    found = facts(VECTORS / file, runtime_for(name, file), model_of(VECTORS / file))
    for what in ("file", "model", "model_hash", "bit_depth", "pts", "symbols"):
        assert found[what] == expected[what], what
    if found["planes"] == expected["planes"]:
        return
    most, mean = TOLERANCE[name]
    difference = np.abs(np.array(found["samples"]) - np.array(expected["samples"])) / 2 ** (expected["bit_depth"] - 8)
    assert difference.max() <= most and difference.mean() <= mean
