"""Both runtimes give the same latents and pictures within a tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hivae_models import model

from xvcodec.families import family
from xvcodec.models.hivae import Hivae
from xvcodec.runtime.export import export_graphs
from xvcodec.runtime.onnx_runtime import OnnxRuntime
from xvcodec.runtime.torch_runtime import TorchRuntime

FAMILY = family("hivae")
TOLERANCE = {"latent": 0.01, "means": 0.01, "candidates": 0.01, "steps": 1e-4, "rest": 0.01, "detail": 2e-3, "hints": 2e-3,
             "out_luma": 0.02 / 255, "out_chroma": 0.02 / 255}
"""Of latents and means in quantiser steps, of details in their unit, of pictures in their range."""


@pytest.fixture(scope="module")
def exact() -> TorchRuntime:
    return TorchRuntime(model(), "cpu", "float32")


@pytest.fixture(scope="module")
def onnx_cpu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnnxRuntime]:
    """Graphs come from another model of the same sizes: they may not depend on the weights."""
    pytest.importorskip("onnx", reason="exporting graphs needs onnx")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    folder: Path = tmp_path_factory.mktemp("graphs")
    export_graphs(model(seed=9), folder)
    with OnnxRuntime(model(), folder, "cpu", threads=1) as runtime:
        yield runtime


@pytest.mark.parametrize("size", [(64, 96, 2, 5), (96, 32, 1, 0)], ids=str)
@pytest.mark.parametrize("step", FAMILY.steps)
def test_onnx_gives_what_torch_gives(exact: TorchRuntime, onnx_cpu: OnnxRuntime, step: str,
                                     size: tuple[int, int, int, int]) -> None:
    made: Hivae = model()
    inputs = FAMILY.example_inputs(made, step, *size)
    shapes = FAMILY.output_shapes(made, step, inputs)
    results = zip(FAMILY.steps[step].outputs, shapes, onnx_cpu.run(step, inputs), exact.run(step, inputs), strict=True)
    for name, shape, a, b in results:
        assert a.shape == b.shape == shape and b.abs().max() > 0
        assert float((a - b).abs().max()) <= TOLERANCE[name], name
