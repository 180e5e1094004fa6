"""The painters of onedva: begin as no change, are told how much is missing, both runtimes agree."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from onedva_models import model

from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.onedva import OnedvaCodec, threshold
from xvcodec.families import family
from xvcodec.models.chain import CANVAS
from xvcodec.models.coder import nominal_step, quality_of
from xvcodec.models.weights import load_model
from xvcodec.runtime.torch_runtime import TorchRuntime

FAMILY = family("onedva")
TOLERANCE = {"detail": 2e-3, "out_luma": 0.02 / 255, "out_chroma": 0.02 / 255}
"""Of details in their unit, of pictures in their range."""


def test_it_begins_as_no_change() -> None:
    one = model(plain=True)
    inputs = FAMILY.example_inputs(one, "paint.mean", 32, 64, 2)
    made = TorchRuntime(one, "cpu", "float32").run("paint.mean", inputs)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(made, inputs[:2], strict=True))


def test_quality_of_a_step() -> None:
    for q in (0.0, 40.0, 85.5):
        assert quality_of(float(nominal_step(torch.tensor(q)))) == pytest.approx(q, abs=1e-4)


def test_painters_are_told_how_much_is_missing(tiny: Path) -> None:
    loaded = load_model(str(tiny))
    codec = OnedvaCodec(loaded, TorchRuntime(loaded.module, "cpu", "float32"))
    y, x = np.mgrid[:64, :64]
    waves = np.stack([np.sin(0.3 * x + 0.2 * y + 0.1 * at) + np.sin(0.9 * y) for at in range(5)])
    luma = torch.tensor(waves)[:, None].float() * 0.2
    planes = Planes(luma, luma.repeat(1, 2, 1, 1)[..., ::2, ::2] * 0.25)
    analysis = codec.analyse(planes, 50.0, Guide(torch.zeros(1, 0, 96), torch.zeros(1, 0)))
    coding = codec.coding(planes, analysis, 50.0)
    progress, told = coding.progress, []
    scans = progress.until(coding.plane)
    tokens = sum(scan.tokens for scan in progress.scans[:scans])
    for part in (1, 3, 10):
        symbols = codec.said(coding, progress.pieces(progress.until(coding.plane, tokens // part)))
        told.append(codec.nominal(symbols))
    half = math.sqrt(0.5)  # of the last plane's threshold: both of its phases are over
    assert float(nominal_step(torch.tensor(told[0]))) == pytest.approx(math.sqrt(threshold(50.0) / CANVAS * half), rel=1e-4)
    assert told[0] < told[1] < told[2] <= 120.0


@pytest.mark.parametrize("step", FAMILY.steps)
@pytest.mark.parametrize("size", [(32, 64, 1, 4), (64, 96, 2, 0)], ids=str)
def test_onnx_paints_the_same(step: str, size: tuple[int, int, int, int], tmp_path: Path) -> None:
    """Graphs come from another model of the same sizes: they may not depend on the weights."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from xvcodec.runtime.export import export_graphs
    from xvcodec.runtime.onnx_runtime import OnnxRuntime

    one = model()
    export_graphs(model(seed=9), tmp_path)
    inputs = FAMILY.example_inputs(one, step, *size)
    with OnnxRuntime(one, tmp_path, "cpu", 1) as runtime:
        found = runtime.run(step, inputs)
    mine, shapes = TorchRuntime(one, "cpu", "float32").run(step, inputs), FAMILY.output_shapes(one, step, inputs)
    for name, shape, a, b in zip(FAMILY.steps[step].outputs, shapes, found, mine, strict=True):
        assert a.shape == b.shape == shape and b.abs().max() > 0
        assert float((a - b).abs().max()) <= TOLERANCE[name], name
