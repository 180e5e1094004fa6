"""Every runtime gives the same pictures within a tolerance.

Tolerances are of the range of an 8-bit picture, 1/255 being one level. Latents, means and what is left of a latent are in
quantiser steps, which are at finest 0.012 of that range, and so have 1/0.012 times the tolerance of a picture, and a factor
for the sums of a patch.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from runtime_models import tiny_model
from torch import Tensor

from xvcodec.models.crossmodal import Crossmodal
from xvcodec.models.steps import STEPS, example_inputs
from xvcodec.runtime.base import Runtime
from xvcodec.runtime.export import export_graphs, weights_of
from xvcodec.runtime.onnx_runtime import OnnxRuntime
from xvcodec.runtime.torch_runtime import TorchRuntime

SIZES = [(64, 96, 2, 5), (96, 64, 1, 0)]  # height, width, samples, tokens of the caption
FLOAT32 = 0.02 / 255
BFLOAT16 = 1.0 / 255
FINEST_STEP = 0.012


def differences(one: Runtime, other: Runtime, step: str, inputs: tuple[Tensor, ...]) -> dict[str, float]:
    """Largest difference of each output that is a float; shapes and types must be the same."""
    found = {}
    for name, a, b in zip(STEPS[step].outputs, one.run(step, inputs), other.run(step, inputs), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype == torch.float32 and a.is_contiguous() and b.is_contiguous()
        assert b.abs().max() > 0
        found[name] = float((a - b).abs().max())
    return found


def check(found: dict[str, float], tolerance: float) -> None:
    """Compare with the tolerance of each output."""
    for name, difference in found.items():
        allowed = tolerance / FINEST_STEP if name in ("latent", "means", "candidates", "rest") else tolerance
        assert difference <= allowed, f"{name} differs by {difference}"


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("step", STEPS)
def test_onnx_gives_what_torch_gives(exact: TorchRuntime, onnx_cpu: OnnxRuntime, model: Crossmodal, step: str,
                                     size: tuple[int, int, int, int]) -> None:
    check(differences(onnx_cpu, exact, step, example_inputs(model, step, *size)), FLOAT32)


@pytest.mark.parametrize("step", STEPS)
def test_bfloat16_stays_within_a_level(exact: TorchRuntime, model: Crossmodal, step: str) -> None:
    half = TorchRuntime(model, "cpu", "bfloat16")
    check(differences(half, exact, step, example_inputs(model, step, *SIZES[0])), BFLOAT16)


def test_inputs_may_be_views(exact: TorchRuntime, onnx_cpu: OnnxRuntime, model: Crossmodal) -> None:
    inputs = example_inputs(model, "key.synthesise", 64, 64, count=2)
    views = tuple(torch.stack((tensor, tensor), dim=-1)[..., 0] for tensor in inputs)
    assert differences(onnx_cpu, exact, "key.synthesise", views)["out_luma"] <= FLOAT32


def test_a_runtime_does_not_change_its_model(onnx_cpu: OnnxRuntime) -> None:
    model, same = tiny_model(), tiny_model()
    runtime = TorchRuntime(model, "cpu", "bfloat16")
    runtime.run("key.context", example_inputs(model, "key.context", 64, 64))
    runtime.close()
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), same.state_dict().values(), strict=True))


def test_graphs_hold_no_weights(graphs: Path, model: Crossmodal) -> None:
    onnx = pytest.importorskip("onnx")
    state = model.state_dict()
    for step in STEPS:
        data = (graphs / f"{step}.onnx").read_bytes()
        loaded = onnx.load_from_string(data)
        names = [tensor.name for tensor in loaded.graph.initializer]
        assert sorted(names) == sorted(weights_of(STEPS[step], state))
        assert not any(tensor.raw_data or tensor.float_data for tensor in loaded.graph.initializer)
        assert len(data) < 250_000
        assert b"/" + b"site-packages" not in data and str(Path.cwd()).encode() not in data


def test_graphs_do_not_depend_on_weights(graphs: Path, tmp_path: Path, model: Crossmodal) -> None:
    (path,) = export_graphs(model, tmp_path, ["key.context"])
    assert path.read_bytes() == (graphs / path.name).read_bytes()


def test_graphs_are_made_when_none_are_given(exact: TorchRuntime, model: Crossmodal) -> None:
    pytest.importorskip("onnxruntime")
    with OnnxRuntime(model) as runtime:
        check(differences(runtime, exact, "key.context", example_inputs(model, "key.context", 64, 64)), FLOAT32)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_cuda_gives_what_the_cpu_gives(exact: TorchRuntime, graphs: Path, model: Crossmodal, backend: str) -> None:
    if backend == "onnx":
        ort = pytest.importorskip("onnxruntime")
        if "CUDAExecutionProvider" not in ort.get_available_providers():
            pytest.skip("this onnxruntime has no CUDA provider")
        runtime: Runtime = OnnxRuntime(model, graphs, "cuda:0")
    else:
        runtime = TorchRuntime(model, "cuda:0", "float32")
    for step in STEPS:
        inputs = example_inputs(model, step, *SIZES[0])
        outputs = runtime.run(step, [tensor.to(runtime.device) for tensor in inputs])
        for name, a, b in zip(STEPS[step].outputs, outputs, exact.run(step, inputs), strict=True):
            check({name: float((a.cpu() - b).abs().max())}, BFLOAT16)  # TF32 is nearer to bfloat16 than to float32
