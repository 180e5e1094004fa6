"""Training on several GPUs under torchrun: gradients are averaged, nothing else is shared."""

from __future__ import annotations

import os

import torch
from torch import distributed, nn


def start() -> torch.device | None:
    """Join the process group that torchrun set up; the device of this process, or None outside torchrun."""
    if "LOCAL_RANK" not in os.environ:
        return None
    local = int(os.environ["LOCAL_RANK"])
    cuda = torch.cuda.is_available()
    distributed.init_process_group("nccl" if cuda else "gloo")
    return torch.device(f"cuda:{local}" if cuda else "cpu")


def rank() -> int:
    """Number of this process, 0 when there is one."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def wait() -> None:
    """Wait until every process is here."""
    if distributed.is_initialized():
        distributed.barrier()


def broadcast(model: nn.Module) -> None:
    """Give every process the weights of process 0."""
    if distributed.is_initialized():
        for value in model.state_dict().values():
            distributed.broadcast(value, 0)


def average_gradients(model: nn.Module) -> None:
    """Average gradients over the processes, in one message."""
    if not distributed.is_initialized():
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    at = 0
    for gradient in gradients:
        gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
        at += gradient.numel()
