"""Both runtimes give the same latents and pictures within a tolerance, and the same integers exactly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from latent_models import baked, clip

import xvcodec
from xvcodec import DecodeOptions, EncodeOptions
from xvcodec.families import family
from xvcodec.models.latent import LatentModel
from xvcodec.runtime.base import Runtime
from xvcodec.runtime.export import export_graphs, weights_of
from xvcodec.runtime.onnx_runtime import OnnxRuntime
from xvcodec.runtime.torch_runtime import TorchRuntime

FAMILY = family("latent")
TOLERANCE = {"residual": 0.02, "latent": 1e-3, "out_luma": 0.02 / 255, "out_chroma": 0.02 / 255}
"""Of residuals in quantiser steps, of latents in standard deviations, of pictures in their range; the rest is exact."""
HALF = {"latent": 0.05, "out_luma": 2 / 255, "out_chroma": 2 / 255}
"""In bfloat16; what codes integers runs in float32 even then."""


@pytest.fixture(scope="module")
def model() -> LatentModel:
    return baked()


@pytest.fixture(scope="module")
def exact(model: LatentModel) -> TorchRuntime:
    return TorchRuntime(model, "cpu", "float32")


@pytest.fixture(scope="module")
def onnx_cpu(model: LatentModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnnxRuntime]:
    """Graphs come from another model of the same sizes: they may not depend on the weights."""
    pytest.importorskip("onnx", reason="exporting graphs needs onnx")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    folder = tmp_path_factory.mktemp("graphs")
    export_graphs(baked(seed=9), folder)
    with OnnxRuntime(model, folder, "cpu", threads=1) as runtime:
        yield runtime


def compare(one: Runtime, other: Runtime, model: LatentModel, step: str, size: tuple[int, int, int, int],
            tolerance: dict[str, float]) -> None:
    inputs = FAMILY.example_inputs(model, step, *size)
    shapes = FAMILY.output_shapes(model, step, inputs)
    results = zip(FAMILY.steps[step].outputs, shapes, one.run(step, inputs), other.run(step, inputs), strict=True)
    for name, shape, a, b in results:
        assert a.shape == b.shape == shape and b.abs().max() > 0
        assert float((a - b).abs().max()) <= tolerance.get(name, 0.0), name


@pytest.mark.parametrize("size", [(32, 48, 2, 5), (48, 16, 1, 0)], ids=str)
@pytest.mark.parametrize("step", FAMILY.steps)
def test_onnx_gives_what_torch_gives(exact: TorchRuntime, onnx_cpu: OnnxRuntime, model: LatentModel, step: str,
                                     size: tuple[int, int, int, int]) -> None:
    compare(onnx_cpu, exact, model, step, size, TOLERANCE)


@pytest.mark.parametrize("step", FAMILY.steps)
def test_bfloat16_changes_pictures_only(exact: TorchRuntime, model: LatentModel, step: str) -> None:
    tolerance = {} if FAMILY.steps[step].exact else HALF
    compare(TorchRuntime(model, "cpu", "bfloat16"), exact, model, step, (32, 48, 2, 5), tolerance)


@pytest.mark.parametrize("kind", ["image", "clip"])
def test_scales_are_the_same_bit_for_bit(exact: TorchRuntime, onnx_cpu: OnnxRuntime, kind: str) -> None:
    z = ((torch.rand(64, 4, 3, 5, generator=torch.Generator().manual_seed(5)) * 2 - 1) * 31).round()
    q = torch.arange(64, dtype=torch.float32)
    wanted = exact.run(f"{kind}.scales", (z, q))[0]
    assert torch.equal(wanted, wanted.round()) and wanted.unique().numel() > 5
    assert torch.equal(onnx_cpu.run(f"{kind}.scales", (z, q))[0], wanted)


def test_a_step_uses_the_weights_it_names(model: LatentModel) -> None:
    """Together the steps use every weight."""
    names = list(model.state_dict())
    used = {name for step in FAMILY.steps.values() for name in weights_of(step, names)}
    assert set(names) - used == {f"{kind}.prior.scales.hyper_table" for kind in ("image", "clip")}


def test_latents_are_equal_on_both_runtimes(tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    source = clip(tmp_path / "in.mkv", 40, 24, 9)
    file = tmp_path / "a.xvc"
    xvcodec.encode(source, file, EncodeOptions(model=str(tiny), crf=12.0, backend="torch", device="cpu"))
    found, integers = [], []
    for backend in ("torch", "onnx"):
        with xvcodec.open(file, DecodeOptions(model=str(tiny), backend=backend, device="cpu")) as video:
            found.append(next(video.latents())["latent"])
            integers.append(next(video.integers()))
    assert all(np.array_equal(a, b) for a, b in zip(*(one.values() for one in integers), strict=True))
    assert np.abs(found[0] - found[1]).max() < 1e-3
