"""The painter: begins as no change, both runtimes agree, training runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from onedva_models import model

from xvcodec.families import family
from xvcodec.models.onedva import pack, unpack
from xvcodec.runtime.torch_runtime import TorchRuntime


def test_packing_comes_back() -> None:
    luma, chroma = torch.rand(2, 1, 32, 64), torch.rand(2, 2, 16, 32)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(unpack(pack(luma, chroma)), (luma, chroma), strict=True))


def test_it_begins_as_no_change() -> None:
    its, one = family("onedva"), model(plain=True)
    inputs = its.example_inputs(one, "paint", 32, 64, 2)
    made = TorchRuntime(one, "cpu", "float32").run("paint", inputs)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(made, inputs[:2], strict=True))
    assert [tuple(each.shape) for each in made] == its.output_shapes(one, "paint", inputs)


@pytest.mark.parametrize(("height", "width", "count", "tokens"), [(32, 64, 1, 4), (64, 32, 2, 0)])
def test_onnx_paints_the_same(height: int, width: int, count: int, tokens: int, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from xvcodec.runtime.export import export_graphs
    from xvcodec.runtime.onnx_runtime import OnnxRuntime

    one = model()
    export_graphs(one, tmp_path)
    inputs = family("onedva").example_inputs(one, "paint", height, width, count, tokens)
    mine = TorchRuntime(one, "cpu", "float32").run("paint", inputs)
    other = OnnxRuntime(one, tmp_path, "cpu", 1).run("paint", inputs)
    assert all(torch.allclose(a, b, atol=2e-4) for a, b in zip(mine, other, strict=True))
