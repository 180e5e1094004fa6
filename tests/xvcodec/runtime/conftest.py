"""Runtimes that several tests share: exporting and starting sessions takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from runtime_models import tiny_model

from xvcodec.models.crossmodal import Crossmodal
from xvcodec.runtime.export import export_graphs
from xvcodec.runtime.onnx_runtime import OnnxRuntime
from xvcodec.runtime.torch_runtime import TorchRuntime


@pytest.fixture(scope="session")
def model() -> Crossmodal:
    """The tiny model."""
    return tiny_model()


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Graphs exported from another model of the same sizes: they may not depend on the weights."""
    pytest.importorskip("onnx", reason="exporting graphs needs onnx")
    folder = tmp_path_factory.mktemp("graphs")
    export_graphs(tiny_model(seed=9), folder)
    return folder


@pytest.fixture(scope="session")
def exact(model: Crossmodal) -> TorchRuntime:
    """The reference: torch on the CPU in float32."""
    return TorchRuntime(model, "cpu", "float32")


@pytest.fixture(scope="session")
def onnx_cpu(model: Crossmodal, graphs: Path) -> Iterator[OnnxRuntime]:
    """onnxruntime on the CPU."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    with OnnxRuntime(model, graphs, "cpu", threads=1) as runtime:
        yield runtime
