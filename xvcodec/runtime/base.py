"""What a runtime is: something that runs the steps of a model on one device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from xvcodec.errors import UsageError
from xvcodec.models.base import Step


class Runtime(ABC):
    """Runs steps of one model; what each takes and gives is in `steps` of its family.

    Attributes:
        name: "torch" or "onnx".
        device: where `run` wants its inputs and leaves its outputs.
        reason: one sentence for people: what was chosen, and why.
        precision: what products are in, "float32" or "bfloat16"; "auto" where gradients are to choose for themselves.
        module: the model on `device`, where gradients can be taken; None where it is run by other means.
    """

    name: str
    device: torch.device
    reason: str
    precision: str = "auto"
    module: Any = None

    @abstractmethod
    def run(self, step: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run one step.

        Args:
            step: a name, such as "anchor.synthesise".
            inputs: float32 tensors on `device`, in the order of the step's signature.
        Returns:
            float32 tensors on `device`, in the order of the step's signature. Exact steps give integers.
        Raises:
            UsageError: no such step, or not as many inputs as it takes.
        """

    def close(self) -> None:
        """Free what the runtime holds; it cannot run afterwards."""
        return

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def check_inputs(steps: Mapping[str, Step], step: str, inputs: Sequence[Tensor]) -> None:
    """Raise UsageError when a step is unknown or its inputs are not as many as its signature lists."""
    if step not in steps:
        raise UsageError(f"There is no step '{step}': choose one of {', '.join(steps)}.")
    wanted = steps[step].inputs
    if len(inputs) != len(wanted):
        raise UsageError(f"Step {step} takes {len(wanted)} tensors ({', '.join(wanted)}), not {len(inputs)}.")
