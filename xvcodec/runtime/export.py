"""Steps written as ONNX graphs without weights: those stay in the model's own file, under their own names.

The exporter is the one that traces (`dynamo=False`): it keeps sizes free, gives GridSample of opset 16 (which the
CUDA provider of onnxruntime has), leaves every weight as it is named, and needs seconds where the other needs minutes.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xvcodec.errors import ModelError
from xvcodec.families import family_of
from xvcodec.models.base import Model, Step

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
"""GridSample changed in 20; the form of 16 runs on every provider."""
WEIGHTS = "weights"
"""Where graphs say their weights are. No such file exists: a session is given them from the model."""


def export_graphs(model: Model, folder: Path, steps: Iterable[str] | None = None) -> list[Path]:
    """Write steps (all, unless some are named) of a model with baked scales to `folder`/<step>.onnx, without weights.

    Graphs depend on the sizes of a model only, not on its weights; batch, height, width and tokens are free.

    Returns:
        The files written.
    Raises:
        ModelError: the onnx package is missing, or the exporter changed a weight.
    """
    try:
        import onnx
    except ImportError as error:
        raise ModelError("Exporting graphs needs the onnx package: pip install onnx.") from error
    skeleton = _skeleton(model)
    state = skeleton.state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    known = family_of(model).steps
    for step in known if steps is None else steps:
        graph = onnx.load_from_string(_trace(skeleton, step))
        _strip(graph, step, known[step], state)
        written.append(folder / f"{step}.onnx")
        written[-1].write_bytes(graph.SerializeToString())
    return written


def weights_of(step: Step, names: Iterable[str]) -> list[str]:
    """Those of a model's weights that a step uses, which are the ones that its graph asks for."""
    return [name for name in names if name.startswith(step.weights)]


def _skeleton(model: Model) -> Model:
    """A copy with random weights, because the exporter merges weights that happen to be equal (such as zeros)."""
    skeleton = copy.deepcopy(model).float().cpu().eval().requires_grad_(False)
    random = torch.Generator().manual_seed(1)
    for tensor in skeleton.state_dict().values():
        drawn = torch.rand(tensor.shape, generator=random)
        tensor.copy_(drawn if tensor.is_floating_point() else (drawn * 100.0).to(tensor.dtype))
    return skeleton


def _trace(model: Model, step: str) -> bytes:
    family = family_of(model)
    names, outputs = family.steps[step].inputs, family.steps[step].outputs
    inputs = family.example_inputs(model, step, 96, 160, count=2, tokens=3)
    free = {name: {axis: f"{name}_{axis}" for axis in range(tensor.dim()) if axis != 1 or name in ("text", "mask")}
            for name, tensor in zip(names, inputs, strict=True)}
    free |= {name: {axis: f"{name}_{axis}" for axis in (0, 2, 3)} for name in outputs}
    buffer: Any = io.BytesIO()  # torch types it as a path, and takes either
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of deprecation, and of constants that are not folded
        torch.onnx.export(family.modules(model)[step], inputs, buffer, dynamo=False, opset_version=OPSET,
                          input_names=list(names), output_names=list(outputs), dynamic_axes=free,
                          do_constant_folding=False)
    return buffer.getvalue()


def _strip(graph: ModelProto, name_of_step: str, step: Step, state: dict[str, Tensor]) -> None:
    """Rename weights to their names in `state` and take their values out; raises ModelError if one was changed."""
    from onnx import TensorProto

    renamed = {}
    for tensor in graph.graph.initializer:
        name = tensor.name.removeprefix("model.")
        if name not in state or list(state[name].shape) != list(tensor.dims):
            raise ModelError(f"The exporter of torch {torch.__version__} changed weight {name} of {name_of_step}.")
        renamed[tensor.name] = name
        tensor.name = name
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        del tensor.external_data[:]
        tensor.external_data.add(key="location", value=WEIGHTS)
    odd = sorted(set(weights_of(step, state)) ^ set(renamed.values()))
    if odd:
        raise ModelError(f"The exporter of torch {torch.__version__} lost or added weights: {', '.join(odd)}.")
    for node in graph.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.ClearField("doc_string")  # names files of the machine that exported
