"""Random choices of the losses: which correspondences and which rows take part.

Every draw happens on the generator's device and is then moved, so that a CPU generator gives the
same choice wherever the features are. Without a generator PyTorch's global one for the CPU draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def choose_rows(
    num_rows: int, num_chosen: int, generator: torch.Generator | None, device: torch.device
) -> torch.Tensor:
    """Choose ``num_chosen`` of ``num_rows`` rows without replacement, or all if there are fewer.

    Args:
        num_rows: Number of rows.
        num_chosen: Number of rows to choose.
        generator: Source of randomness; not advanced when all rows are taken. None: PyTorch's
            global generator for the CPU.
        device: Device of the result.

    Returns:
        (min(num_chosen, num_rows),) int64 row numbers, ascending.
    """
    if num_chosen >= num_rows:
        return torch.arange(num_rows, device=device)
    order = torch.randperm(num_rows, generator=generator, device=_device(generator))
    return order[:num_chosen].sort().values.to(device)


def choose_matches(
    correspondences: torch.Tensor, generator: torch.Generator | None
) -> torch.Tensor:
    """Keep, for each row of view0 that has a match, one of its matches, uniformly at random.

    Args:
        correspondences: (M, 2) int64, sorted by column 0.
        generator: Source of randomness; None: PyTorch's global generator for the CPU.

    Returns:
        (Q, 2) int64, a subset of the correspondences in which every row of view0 occurs once;
        sorted by column 0.
    """
    _, counts = torch.unique_consecutive(correspondences[:, 0], return_counts=True)  # (Q,)
    starts = counts.cumsum(0) - counts
    uniform = torch.rand(len(counts), generator=generator, device=_device(generator))
    chosen = (uniform.to(counts.device) * counts).long()
    # uniform < 1, but the float32 product must never round up into the next row's matches
    return correspondences[starts + torch.minimum(chosen, counts - 1)]


def scene_of_rows(rows: torch.Tensor, offsets: Sequence[int]) -> torch.Tensor:
    """The index of the sample, and so of the scene, that owns each row.

    Args:
        rows: Row numbers, (K,) int64.
        offsets: B+1 row numbers; sample b owns rows ``offsets[b]:offsets[b + 1]``.

    Returns:
        (K,) int64 in 0..B-1.
    """
    ends = torch.tensor(offsets[1:], device=rows.device)
    return torch.bucketize(rows.contiguous(), ends, right=True)


def _device(generator: torch.Generator | None) -> torch.device:
    return torch.device("cpu") if generator is None else generator.device
