"""What the averaged weights do on the same batches every time: a learning curve without the noise of single batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from xvcodec.training.data import Clips
from xvcodec.training.task import Task, Texts

SEED = 1


def probe(task: Task, average: dict[str, Tensor], clips: Clips, texts: Texts, clear: Callable[[], None],
          batches: int) -> dict[str, list[Tensor]]:
    """Figures of `batches` fixed batches of training crops, with the weights `average`; everything is as before afterwards.

    Args:
        clear: drops the gradients that a batch leaves.
    """
    kept = {name: value.detach().clone() for name, value in task.model.state_dict().items()}
    random, clips.rng = clips.rng, np.random.default_rng(SEED)
    task.model.load_state_dict(average)
    found: dict[str, list[Tensor]] = {}
    with torch.random.fork_rng(devices=[task.device] if task.device.type == "cuda" else []):
        torch.manual_seed(SEED)
        for _ in range(batches):
            for name, value in task.step(clips, texts, clear).values.items():
                found.setdefault(name, []).append(value)
    task.model.load_state_dict(kept)
    clips.rng = random
    return found
