"""What users may ask for, what they get, and what they are told when it is not there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from runtime_models import Loaded

from xvcodec.errors import DeviceError, ModelError, UsageError
from xvcodec.models.crossmodal import Crossmodal
from xvcodec.models.steps import example_inputs
from xvcodec.runtime import choose, providers
from xvcodec.runtime.choose import choose_runtime, parse_device
from xvcodec.runtime.onnx_runtime import OnnxRuntime
from xvcodec.runtime.torch_runtime import TorchRuntime, fast_bfloat16, resolve_precision


@pytest.fixture
def loaded(model: Crossmodal) -> Loaded:
    return Loaded(model)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_auto_says_what_it_took_and_why(loaded: Loaded, no_gpu: None) -> None:
    runtime = choose_runtime(loaded)
    assert runtime.name == "torch" and runtime.device == torch.device("cpu")
    assert "torch on cpu in" in runtime.reason and "no GPU was found" in runtime.reason


def test_a_choice_is_kept(loaded: Loaded, graphs: Path) -> None:
    pytest.importorskip("onnxruntime")
    assert choose_runtime(loaded, "torch", "cpu", precision="float32").reason.startswith("torch on cpu in float32")
    runtime = choose_runtime(loaded, "onnx", "cpu", threads=1, graphs=graphs)
    assert runtime.name == "onnx" and "on cpu" in runtime.reason


@pytest.mark.parametrize(("options", "named"), [
    ({"backend": "tensorflow"}, "auto, torch, onnx"), ({"device": "tpu"}, "cuda:N"), ({"device": "cuda:x"}, "cuda:N"),
    ({"precision": "int4"}, "float32"), ({"threads": 0}, "at least 1"),
    ({"backend": "onnx", "precision": "bfloat16"}, "--backend torch"),
])
def test_unknown_choices_are_told_the_known_ones(loaded: Loaded, options: dict, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        choose_runtime(loaded, **options)


def test_devices_by_name() -> None:
    assert parse_device("auto") is None
    assert parse_device("cpu") == torch.device("cpu")
    assert parse_device("cuda") == torch.device("cuda:0")
    assert parse_device("cuda:2") == torch.device("cuda:2")


def test_cuda_without_a_cuda_build_says_what_to_install(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None, raising=False)
    with pytest.raises(DeviceError, match=r"needs a torch with CUDA.*install a CUDA build"):
        choose_runtime(loaded, "auto", "cuda")


def test_cuda_without_a_driver_names_nvidia_smi(loaded: Loaded, monkeypatch: pytest.MonkeyPatch, no_gpu: None) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(DeviceError, match="nvidia-smi"):
        choose_runtime(loaded, "torch", "cuda:1")


def test_a_gpu_that_is_not_there_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceError, match=r"torch sees 2 GPU"):
        choose.check_torch_device(torch.device("cuda:2"))


def test_without_onnxruntime_the_error_says_how_to_get_it(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DeviceError, match="pip install onnxruntime"):
        choose_runtime(loaded, "onnx", "cpu")


def test_an_onnxruntime_without_cuda_says_how_to_get_it(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(get_available_providers=lambda: ["CPUExecutionProvider"], __version__="0")
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    with pytest.raises(DeviceError, match=r"onnxruntime-gpu\[cuda,cudnn\]"):
        choose_runtime(loaded, "onnx", "cuda")


def test_a_silent_fall_back_to_the_cpu_is_an_error() -> None:
    session = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match="could not start its CUDA provider"):
        providers.check_provider(session, providers.CUDA)


def test_cuda_options_avoid_the_known_traps() -> None:
    options = providers.cuda_provider(1, exact=True)[1]
    assert options["device_id"] == "1" and options["use_tf32"] == "0"
    assert options["cudnn_conv_algo_search"] in ("HEURISTIC", "EXHAUSTIVE")
    assert options["arena_extend_strategy"] == "kSameAsRequested"


def test_graphs_that_are_not_there_are_an_error(model: Crossmodal, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(ModelError, match="xvc export"):
        OnnxRuntime(model, tmp_path).run("key.context", example_inputs(model, "key.context", 64, 64))


def test_precision_follows_the_cpu(tmp_path: Path) -> None:
    listing = tmp_path / "cpuinfo"
    for flags, name in (("sse avx512_bf16", "AVX512-BF16"), ("avx512_bf16 amx_bf16", "AMX"), ("sse avx2", "")):
        listing.write_text(f"flags : {flags}\n")
        assert fast_bfloat16(listing) == name
    assert fast_bfloat16(tmp_path / "missing") == ""
    assert resolve_precision("float32", torch.device("cpu"))[0] == "float32"


@pytest.mark.parametrize(("step", "count", "message"), [("key.dream", 2, "no step"), ("key.context", 3, "takes 2")])
def test_wrong_calls_are_explained(exact: TorchRuntime, step: str, count: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        exact.run(step, [torch.zeros(1)] * count)
