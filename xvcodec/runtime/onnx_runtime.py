"""Steps run by onnxruntime, on the CPU or through its CUDA provider."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xvcodec.errors import ModelError
from xvcodec.families import family_of
from xvcodec.models.base import Model
from xvcodec.runtime.base import Runtime, check_inputs
from xvcodec.runtime.export import export_graphs, weights_of
from xvcodec.runtime.providers import (
    CPU,
    check_provider,
    cuda_provider,
    import_onnxruntime,
    require_cuda,
    session_options,
)


class OnnxRuntime(Runtime):
    """Runs graphs that `export_graphs` wrote, fed with the weights of a model.

    Args of the constructor:
        model: in evaluation mode, float32, with baked scales. Its tensors are used in place, on the CPU.
        graphs: folder of the graphs; None exports each step when it is first run (needs the onnx package).
        device: "cpu", "cuda" or "cuda:N".
        threads: threads on the CPU; None for as many as torch uses.
    Raises:
        DeviceError: onnxruntime, or the CUDA provider that `device` asks for, is not there.
    """

    name = "onnx"

    def __init__(self, model: Model, graphs: Path | None = None, device: torch.device | str = "cpu",
                 threads: int | None = None) -> None:
        self._ort = import_onnxruntime()
        where = torch.device(device)
        self._gpu = (where.index or 0) if where.type == "cuda" else None
        if self._gpu is not None:
            require_cuda(self._ort)
        # a torch without CUDA can still feed the provider, through the main memory
        on_gpu = self._gpu is not None and torch.cuda.is_available()
        self.device = torch.device(f"cuda:{self._gpu}" if on_gpu else "cpu")
        self.reason = f"onnxruntime {self._ort.__version__} on {where} in float32 (as asked)."
        self._model, self._family = model, family_of(model)
        self._state = {name: tensor.cpu().contiguous().numpy() for name, tensor in model.state_dict().items()}
        self._made = TemporaryDirectory(prefix="xvc-graphs-") if graphs is None else None
        self._graphs = Path(self._made.name) if self._made else graphs
        self._threads = threads or torch.get_num_threads()
        self._sessions: dict[str, Any] = {}
        self._lock = threading.Lock()
        if self._gpu is not None:
            smallest = next(name for name, step in self._family.steps.items() if step.exact)
            self._session(smallest)  # a provider that does not start is told now

    def run(self, step: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """See `Runtime.run`."""
        check_inputs(self._family.steps, step, inputs)
        binding = self._session(step).io_binding()
        names, outputs = self._family.steps[step].inputs, self._family.steps[step].outputs
        given = [tensor.to(self.device, torch.float32).contiguous() for tensor in inputs]
        taken = [torch.empty(shape, device=self.device)
                 for shape in self._family.output_shapes(self._model, step, given)]
        for name, tensor in zip(names, given, strict=True):
            binding.bind_input(name, *_place(tensor))
        for name, tensor in zip(outputs, taken, strict=True):
            binding.bind_output(name, *_place(tensor))
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()  # onnxruntime works on a stream of its own
        self._session(step).run_with_iobinding(binding)
        binding.synchronize_outputs()
        return tuple(taken)

    def close(self) -> None:
        """Free the sessions and the graphs that were made for them."""
        self._sessions.clear()
        if self._made:
            self._made.cleanup()

    def _session(self, step: str) -> Any:
        with self._lock:
            if step not in self._sessions:
                self._sessions[step] = self._create(step)
            return self._sessions[step]

    def _create(self, step: str) -> Any:
        assert self._graphs is not None
        path = self._graphs / f"{step}.onnx"
        if self._made:
            export_graphs(self._model, self._graphs, [step])
        if not path.is_file():
            raise ModelError(f"There is no graph {path}: write it with `xvc export`, or use --backend torch.")
        options = session_options(self._ort, self._threads)
        names = weights_of(self._family.steps[step], self._state)
        values = [self._ort.OrtValue.ortvalue_from_numpy(self._state[name]) for name in names]
        options.add_external_initializers(names, values)
        cuda = [] if self._gpu is None else [cuda_provider(self._gpu, exact=self._family.steps[step].exact)]
        session = self._ort.InferenceSession(path.read_bytes(), options, providers=[*cuda, CPU])
        check_provider(session, cuda[0][0] if cuda else CPU)
        return session


def _place(tensor: Tensor) -> tuple[str, int, type, tuple[int, ...], int]:
    """What IOBinding wants to know of a contiguous float32 tensor."""
    # an empty tensor has no memory, which the binding takes for a mistake
    pointer = tensor.data_ptr() or _NOTHING.ctypes.data
    return tensor.device.type, tensor.device.index or 0, np.float32, tuple(tensor.shape), pointer


_NOTHING = np.zeros(1, np.float32)
