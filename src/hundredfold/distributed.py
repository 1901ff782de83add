"""What a method needs to know of other processes; in one process all of it is the identity.

The rule for gradients: `DistributedDataParallel` averages them over processes, so what is descended is the mean of
the processes' losses. `gather` is differentiated exactly under that reading. A loss of the gathered rows is the same
number everywhere, so its mean is itself: two processes step as one would on the joined batch.
"""

from __future__ import annotations

import gc
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """Which process this is, from 0."""
    return dist.get_rank() if _joined() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _joined() else 1


def is_main() -> bool:
    """Whether this is the process that writes and talks."""
    return rank() == 0


def barrier() -> None:
    """Wait until every process is here."""
    if world() > 1:
        dist.barrier()


def leave() -> None:
    """Take leave of the other processes; call it last, when the wrapped module is out of scope.

    A wrapped module is part of reference cycles that keep gloo's threads running. If they live until the interpreter
    ends, it may abort ("terminate called without an active exception") after all work is done. So cycles go first.
    """
    if _joined():
        barrier()
        gc.collect()
        dist.destroy_process_group()


def gather(tensor: Tensor) -> Tensor:
    """The rows of all processes in rank order, differentiable.

    Shapes: [b, ...], the same in every process -> [world * b, ...].

    The gradient of a row is the sum of what all processes' losses ask of it. When every process computes the same
    loss of the gathered rows, the sum of their parameter gradients is `world` times the gradient of one process on the
    joined batch, and their mean, which `DistributedDataParallel` takes, is that gradient.
    """
    if world() == 1:
        return tensor
    gathered: Tensor = _Gather.apply(tensor)
    return gathered


def mean(tensor: Tensor) -> Tensor:
    """The mean over processes, for numbers to log: not differentiable."""
    if world() == 1:
        return tensor.detach()
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total / world()


def largest(number: int) -> int:
    """The largest of all processes' numbers: how they agree to stop when a signal reached one of them."""
    if world() == 1:
        return number
    value = torch.tensor(number)
    dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return int(value)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        ctx.rows = len(tensor)
        parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(world())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)  # every process's loss depends on these rows
        return total.narrow(0, rank() * ctx.rows, ctx.rows)


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()
