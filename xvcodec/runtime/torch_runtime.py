"""Steps run by torch, in float32 or with the products in bfloat16."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from xvcodec.errors import UsageError
from xvcodec.families import family_of
from xvcodec.models.base import Model
from xvcodec.runtime.base import Runtime, check_inputs
from xvcodec.runtime.memory import keep_freed_memory

PRECISIONS = ("auto", "float32", "bfloat16")
_BFLOAT16 = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16"}


class TorchRuntime(Runtime):
    """Runs the modules themselves.

    Args of the constructor:
        model: in evaluation mode, with baked scales; the runtime takes a copy.
        device: "cpu", "cuda" or "cuda:N", as torch takes it.
        precision: "float32", "bfloat16" (autocast: products in bfloat16, pixels and sums in float32), or "auto".
        threads: torch threads on the CPU (a setting of the whole process); None leaves it as it is.
    """

    name = "torch"

    def __init__(self, model: Model, device: torch.device | str = "cpu", precision: str = "auto",
                 threads: int | None = None) -> None:
        self.device = torch.device(device)
        self.precision, why = resolve_precision(precision, self.device)
        self.reason = f"torch on {describe(self.device)} in {self.precision} ({why})."
        if self.device.type == "cpu":
            keep_freed_memory()
            if threads is not None:
                torch.set_num_threads(threads)
        with torch.inference_mode(False):  # or no gradient could go through it
            self.module = own = copy.deepcopy(model).requires_grad_(False).to(self.device)
        self._known = family_of(own).steps
        self._steps: dict[str, nn.Module] = family_of(own).modules(own)

    def run(self, step: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """See `Runtime.run`."""
        check_inputs(self._known, step, inputs)
        # exact steps hold integers in float32: bfloat16 has only eight bits of them
        half = self.precision == "bfloat16" and not self._known[step].exact
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            outputs = self._steps[step](*inputs)
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(output.float().contiguous() for output in several)

    def close(self) -> None:
        """Forget the model."""
        self._steps, self.module = {}, None


def resolve_precision(precision: str, device: torch.device) -> tuple[str, str]:
    """The precision to use and why; raises UsageError for an unknown one."""
    if precision not in PRECISIONS:
        raise UsageError(f"There is no precision '{precision}': choose one of {', '.join(PRECISIONS)}.")
    if precision != "auto":
        return precision, "as asked"
    if device.type == "cuda":
        ampere = torch.cuda.get_device_capability(device)[0] >= 8
        return ("bfloat16", "the GPU has it") if ampere else ("float32", "the GPU is older than bfloat16")
    fast = fast_bfloat16()
    return ("bfloat16", f"the CPU has {fast}") if fast else ("float32", "the CPU has neither AMX nor AVX512-BF16")


def fast_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the CPU's bfloat16 instructions, "" where there are none or the system does not say."""
    try:
        words = set(cpuinfo.read_text().split())
    except OSError:
        return ""
    return next((name for flag, name in _BFLOAT16.items() if flag in words), "")


def describe(device: torch.device) -> str:
    """A device for people: "cpu", "cuda:0 (NVIDIA H200)"."""
    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"
