"""Random choices of the losses: which correspondences and which rows take part.

Every draw happens on the generator's own device and is then moved, so that a CPU generator gives
the same choice wherever the features are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def choose_rows(
    num_rows: int, num_chosen: int, generator: torch.Generator, device: torch.device
) -> torch.Tensor:
    """Choose ``num_chosen`` of ``num_rows`` rows without replacement, or all if there are fewer.

    Args:
        num_rows: how many rows there are.
        num_chosen: how many to choose.
        generator: source of randomness; not advanced when all rows are taken.
        device: where the result goes.

    Returns:
        (min(num_chosen, num_rows),) int64 row numbers, rising.
    """
    if num_chosen >= num_rows:
        return torch.arange(num_rows, device=device)
    order = torch.randperm(num_rows, generator=generator, device=generator.device)
    return order[:num_chosen].sort().values.to(device)


def choose_matches(correspondences: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Keep, for each row of view0 that has a match, one of its matches, uniformly at random.

    Args:
        correspondences: (M, 2) int64, sorted by column 0.
        generator: source of randomness.

    Returns:
        (Q, 2) int64, a subset of the correspondences in which every row of view0 stands once;
        sorted by column 0.
    """
    _, counts = torch.unique_consecutive(correspondences[:, 0], return_counts=True)  # (Q,)
    starts = counts.cumsum(0) - counts
    uniform = torch.rand(len(counts), generator=generator, device=generator.device)
    chosen = (uniform.to(counts.device) * counts).long()
    # uniform < 1, but the float32 product must never round up into the next row's matches
    return correspondences[starts + torch.minimum(chosen, counts - 1)]


def scene_of_rows(rows: torch.Tensor, offsets: Sequence[int]) -> torch.Tensor:
    """The index of the sample, and so of the scene, that owns each row.

    Args:
        rows: (K,) int64 row numbers.
        offsets: B+1 row numbers; sample b owns rows ``offsets[b]:offsets[b + 1]``.

    Returns:
        (K,) int64 in 0..B-1.
    """
    ends = torch.tensor(offsets[1:], device=rows.device)
    return torch.bucketize(rows.contiguous(), ends, right=True)
