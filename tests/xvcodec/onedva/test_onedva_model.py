"""The painters of onedva: begin as no change, are told how much is missing, both runtimes agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onedva_models import alike, model

from xvcodec.codec.analysis import analyse
from xvcodec.codec.drawing import Drawing
from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.onedva import OnedvaCodec
from xvcodec.codec.tokens import CORRECTIONS
from xvcodec.families import family
from xvcodec.models.coder import OCTAVE, nominal_step, quality_of
from xvcodec.models.weights import load_model
from xvcodec.runtime.torch_runtime import TorchRuntime

FAMILY = family("onedva")
DRAWING = Drawing(np.array([3], np.int32), np.zeros((1, 2, 2), np.int32))
TOLERANCE = {"detail": 2e-3, "hints": 2e-3, "out_luma": 0.02 / 255, "out_chroma": 0.02 / 255}
"""Of details in their unit, of pictures in their range."""


def test_it_begins_as_no_change() -> None:
    one = model(plain=True)
    inputs = FAMILY.example_inputs(one, "paint.mean", 32, 64, 2)
    made = TorchRuntime(one, "cpu", "float32").run("paint.mean", inputs)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(made, inputs[:2], strict=True))


def test_it_begins_as_the_model_that_it_codes_like(tmp_path: Path) -> None:
    """Layers that hivae has not change nothing yet."""
    one, other = model(plain=True), load_model(str(alike(tmp_path))).module
    inputs = FAMILY.example_inputs(one, "paint.flow", 32, 64, 2)
    (ours,), (its,) = (TorchRuntime(each, "cpu", "float32").run("paint.flow", inputs) for each in (one, other))
    assert torch.allclose(ours, its, atol=1e-6)


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
    guide = Guide(torch.zeros(1, 0, 96), torch.zeros(1, 0))
    analysis = analyse(planes.luma, codec.nominal(50.0), codec.between(50.0), False)
    closed = codec.closed(planes, analysis, 50.0, guide)
    (_, progress), told = codec.begin(closed), []
    whole = progress.until()
    tokens = sum(scan.tokens for scan in progress.scans if scan.level < CORRECTIONS)  # of key frame and anchors
    for some in (None, tokens, tokens // 2, tokens // 10):
        scans = progress.until(some)
        symbols = codec.said(closed, progress.pieces(scans), DRAWING)
        told.append(codec.seen(symbols, 50.0))
        halves = max(0, CORRECTIONS - 1 - progress.scans[scans - 1].level)  # phases that are missing
        assert told[-1] == pytest.approx(min(120.0, codec.nominal(50.0) + OCTAVE * halves / 2))
        assert codec.drawn(symbols) == (0.75 if halves < 4 else 0.0)
    assert codec.nominal(50.0) == told[0] == told[1] < told[2] < told[3] and halves >= 4
    assert codec.seen(codec.said(closed, progress.pieces(1), DRAWING), 50.0) == 120.0  # hardly anything is there
    truth = {kind: np.stack(each) for kind, each in closed.coding.rounder.latents.items()}
    symbols = codec.said(closed, progress.pieces(whole), DRAWING)
    assert all(np.array_equal(symbols.latents[kind], each) for kind, each in truth.items())
    assert np.array_equal(symbols.fields, closed.told.fields)


def test_the_usual_error_grows_with_crf(tiny: Path) -> None:
    """By the same factor for each one more, and by a greater one beyond 48."""
    loaded = load_model(str(tiny))
    codec = OnedvaCodec(loaded, TorchRuntime(loaded.module, "cpu", "float32"))
    growth = [codec.usual_error(crf + 1.0) / codec.usual_error(crf) for crf in range(63)]
    assert growth[:48] == pytest.approx([growth[0]] * 48) and growth[48:] == pytest.approx([growth[48]] * 15)
    assert 1.0 < growth[0] < growth[48]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Graphs of another model of the same sizes: they may not depend on the weights."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from xvcodec.runtime.export import export_graphs

    folder = tmp_path_factory.mktemp("graphs")
    export_graphs(model(seed=9), folder)
    return folder


@pytest.mark.parametrize("step", ["paint.mean", "paint.flow", "paint.tell"])
@pytest.mark.parametrize("size", [(32, 64, 1, 4), (64, 96, 2, 0)], ids=str)
def test_onnx_paints_the_same(step: str, size: tuple[int, int, int, int], graphs: Path) -> None:
    from xvcodec.runtime.onnx_runtime import OnnxRuntime

    one = model()
    inputs = FAMILY.example_inputs(one, step, *size)
    with OnnxRuntime(one, graphs, "cpu", 1) as runtime:
        found = runtime.run(step, inputs)
    mine, shapes = TorchRuntime(one, "cpu", "float32").run(step, inputs), FAMILY.output_shapes(one, step, inputs)
    for name, shape, a, b in zip(FAMILY.steps[step].outputs, shapes, found, mine, strict=True):
        assert a.shape == b.shape == shape and b.abs().max() > 0
        assert float((a - b).abs().max()) <= TOLERANCE[name], name
