"""Collectives of training on several processes; each does nothing where there is only one.

Every rank must call each of them, also a rank whose batch holds no pair.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.autograd.function import once_differentiable


def num_ranks() -> int:
    """Return the number of processes that train together; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rows_of_other_ranks(rows: torch.Tensor) -> torch.Tensor:
    """Gather the rows of all other ranks, differentiably.

    In the backward pass each rank receives the sum of its rows' gradients from all other ranks. The
    sum, not the mean: a loss that is to equal that of the joined batch under DDP, which averages
    the ranks' gradients, is multiplied by the number of ranks (:func:`mean_over_ranks`).

    Args:
        rows: Rows of this rank, (n, C) floating point; n may differ between ranks and may be 0.

    Returns:
        (sum of the others' n, C), in the order of ranks; (0, C) on a single process.
    """
    if num_ranks() == 1:
        return rows[:0]
    return _OthersRows.apply(rows)  # pyright: ignore[reportReturnType]


def sum_over_ranks(values: torch.Tensor) -> torch.Tensor:
    """Sum tensors of one shape over all ranks, without a gradient."""
    values = values.detach().clone()
    if num_ranks() > 1:
        dist.all_reduce(values)
    return values


def mean_over_ranks(local_sum: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
    """Average values over all ranks, each of which knows the sum of its own.

    Args:
        local_sum: Sum of this rank's values, a differentiable scalar.
        total: Number of values on all ranks together; the mean of none is 0.

    Returns:
        A scalar, the same on every rank. Its gradient is that of this rank's part times the number
        of ranks, so that DDP's average over ranks is the gradient of the mean.
    """
    count = total.clamp(min=1)
    if num_ranks() == 1:
        return local_sum / count
    part = local_sum * (num_ranks() / count)
    return part + (sum_over_ranks(local_sum) / count - part).detach()


def gather_objects(value: Any) -> list[Any]:
    """Gather one picklable object from each rank, in the order of ranks."""
    if num_ranks() == 1:
        return [value]
    gathered: list[Any] = [None] * num_ranks()
    dist.all_gather_object(gathered, value)
    return gathered


@torch.no_grad()
def take_buffers_of_first_rank(network: nn.Module) -> None:
    """Give every rank the running statistics of rank 0, so that all ranks score one network.

    DDP does the same at the start of each training step, and at no other time.
    """
    if num_ranks() > 1:
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)


def part_ways() -> None:
    """End the process group: from here on each rank computes alone (metrics would wait)."""
    if num_ranks() > 1:
        dist.barrier()
        dist.destroy_process_group()


class _OthersRows(torch.autograd.Function):
    """All-gather of the other ranks' rows, in uneven numbers; the backward pass sums."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor) -> torch.Tensor:
        rank = dist.get_rank()
        size = torch.tensor([len(rows)], device=rows.device)
        sizes = [torch.empty_like(size) for _ in range(num_ranks())]
        dist.all_gather(sizes, size)
        ctx.sizes = [int(size) for size in sizes]
        longest = max(ctx.sizes)
        padded = rows.new_zeros(longest, rows.shape[1])
        padded[: len(rows)] = rows
        gathered = [torch.empty_like(padded) for _ in range(num_ranks())]
        dist.all_gather(gathered, padded)
        parts = zip(gathered, ctx.sizes, strict=True)
        return torch.cat([part[:n] for other, (part, n) in enumerate(parts) if other != rank])

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: torch.Tensor
    ) -> torch.Tensor:
        (grad,) = grad_outputs
        rank, sizes = dist.get_rank(), ctx.sizes
        asked = grad.new_zeros(len(sizes), max(sizes), grad.shape[1])
        start = 0
        for other, size in enumerate(sizes):
            if other != rank:
                asked[other, :size] = grad[start : start + size]
                start += size
        dist.all_reduce(asked)
        return asked[rank, : sizes[rank]]
