"""From what a user asks for (--backend, --device) to a runtime, or to an error that says what is missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import torch

from xvcodec.errors import DeviceError, UsageError
from xvcodec.models.base import Model
from xvcodec.runtime.base import Runtime
from xvcodec.runtime.torch_runtime import TorchRuntime, resolve_precision

BACKENDS = ("auto", "torch", "onnx")
INSTALL_TORCH = "a CUDA build of torch (see pytorch.org for your CUDA version)"


class ModelSource(Protocol):
    """What `choose_runtime` needs of a loaded model."""

    @property
    def module(self) -> Model:
        """The model in evaluation mode, with baked scales."""


def choose_runtime(model: ModelSource, backend: str = "auto", device: str = "auto", threads: int | None = None,
                   precision: str = "auto", graphs: Path | None = None) -> Runtime:
    """Put a model on a runtime; `reason` of the result says what was chosen and why.

    Args:
        model: a loaded model.
        backend: "auto", "torch" or "onnx"; auto takes torch, which is faster wherever it was measured.
        device: "auto" (a GPU if torch can use one), "cpu", "cuda" or "cuda:N".
        threads: threads on the CPU, None for the default of torch.
        precision: "auto", "float32" or "bfloat16"; onnx has only float32.
        graphs: folder of the model's ONNX graphs; None makes them when they are needed.
    Raises:
        UsageError: a name is unknown, or the choices contradict each other.
        DeviceError: the device or the runtime is not there.
    """
    if backend not in BACKENDS:
        raise UsageError(f"There is no backend '{backend}': choose one of {', '.join(BACKENDS)}.")
    if threads is not None and threads < 1:
        raise UsageError(f"Threads must be at least 1, not {threads}.")
    wanted = parse_device(device)
    if backend == "onnx":
        return _onnx(model, wanted, threads, precision, graphs)
    chosen = wanted or torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    check_torch_device(chosen)
    resolve_precision(precision, chosen)
    runtime = TorchRuntime(model.module, chosen, precision, threads)
    runtime.reason += " " + _why(backend, wanted, chosen)
    return runtime


def _onnx(model: ModelSource, wanted: torch.device | None, threads: int | None, precision: str,
          graphs: Path | None) -> Runtime:
    from xvcodec.runtime.onnx_runtime import OnnxRuntime

    if precision == "bfloat16":
        raise UsageError("--backend onnx computes in float32 only: leave the precision out, or use --backend torch.")
    resolve_precision(precision, torch.device("cpu"))
    if wanted is not None:
        return OnnxRuntime(model.module, graphs, wanted, threads)
    if torch.cuda.is_available():
        try:
            return OnnxRuntime(model.module, graphs, "cuda:0", threads)
        except DeviceError as error:
            runtime = OnnxRuntime(model.module, graphs, "cpu", threads)
            runtime.reason += f" There is a GPU, but: {error}"
            return runtime
    runtime = OnnxRuntime(model.module, graphs, "cpu", threads)
    runtime.reason += " No GPU was found."
    return runtime


def parse_device(device: str) -> torch.device | None:
    """"auto" -> None, "cpu", "cuda", "cuda:N" -> that device; raises UsageError for anything else."""
    if device == "auto":
        return None
    if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", device):
        raise UsageError(f"There is no device '{device}': choose auto, cpu, cuda or cuda:N.")
    return torch.device("cuda:0" if device == "cuda" else device)


def check_torch_device(device: torch.device) -> None:
    """Raise DeviceError, saying what is missing, when torch cannot compute on a device."""
    if device.type != "cuda":
        return
    if torch.version.cuda is None and torch.version.hip is None:
        raise DeviceError(f"--device {device} needs a torch with CUDA, and this one ({torch.__version__}) has none: "
                          f"install {INSTALL_TORCH}, or use --device cpu.")
    if not torch.cuda.is_available():
        raise DeviceError(f"--device {device}: torch finds no usable NVIDIA driver or GPU; check what nvidia-smi says, "
                          "or use --device cpu.")
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        raise DeviceError(f"--device {device}: torch sees {count} GPU(s), counted from cuda:0.")


def _why(backend: str, wanted: torch.device | None, chosen: torch.device) -> str:
    found = "a GPU was found" if chosen.type == "cuda" else "no GPU was found"
    device = "the device was asked for" if wanted else found
    return ("torch was asked for" if backend == "torch" else "torch is the faster backend") + f"; {device}."
