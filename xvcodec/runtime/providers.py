"""What onnxruntime is asked for: its session options, and its CUDA provider with the traps closed."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from xvcodec.errors import DeviceError

INSTALL = "pip install onnxruntime"
INSTALL_CUDA = "pip uninstall -y onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]'"
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"


def import_onnxruntime() -> ModuleType:
    """The onnxruntime package; raises DeviceError when it is not installed or does not load."""
    try:
        import onnxruntime
    except ImportError as error:
        raise DeviceError(f"--backend onnx needs onnxruntime: {INSTALL} (or, for a GPU, {INSTALL_CUDA}).") from error
    return onnxruntime


def require_cuda(ort: ModuleType) -> None:
    """Raise DeviceError when this onnxruntime was built without CUDA; else load CUDA's libraries."""
    if CUDA not in ort.get_available_providers():
        raise DeviceError(f"This onnxruntime has no CUDA provider: {INSTALL_CUDA}.")
    _preload(ort)


@cache
def _preload(ort: ModuleType) -> None:
    """Load CUDA and cuDNN from torch or the nvidia packages: the provider does not find them by itself."""
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()


def cuda_provider(index: int, exact: bool) -> tuple[str, dict[str, str]]:
    """The CUDA provider and its options.

    Args:
        index: number of the GPU.
        exact: no TF32, for the steps that compute with integers.
    """
    return CUDA, {
        "device_id": str(index),
        "cudnn_conv_algo_search": "HEURISTIC",  # DEFAULT is cuDNN's fallback mode, many times slower
        "cudnn_conv_use_max_workspace": "0",  # gigabytes for little
        "arena_extend_strategy": "kSameAsRequested",  # the other doubles, and never gives back
        "use_tf32": "0" if exact else "1",
        "fuse_conv_bias": "0",  # not deterministic
    }


def session_options(ort: ModuleType, threads: int) -> Any:
    """Options of a session on `threads` CPU threads that sleep while they wait."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; what matters of the warnings is checked after creation
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # nine sessions share the cores
    return options


def check_provider(session: Any, wanted: str) -> None:
    """Raise DeviceError when a session fell back to the CPU, which onnxruntime only logs."""
    if wanted not in session.get_providers():
        raise DeviceError("onnxruntime could not start its CUDA provider (the driver, CUDA or cuDNN is missing or of "
                          f"another major version than it was built for): check nvidia-smi, then {INSTALL_CUDA}.")
