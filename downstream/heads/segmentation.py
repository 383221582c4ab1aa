"""Heads with one row of logits per voxel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from downstream.heads.head import Head
from downstream.types import LabelledBatch
from pointcontrast.sparse import SparseTensor


class LinearHead(Head):
    """One linear layer on the last level.

    This is the 1x1 output convolution with bias of the released networks, initialised from the
    same distribution: uniform within 1/sqrt(channels) (``final`` in PointContrast
    ``downstream/semseg/models/res16unet.py``).
    """

    levels_read = (-1,)

    def __init__(self, level_channels: Sequence[int], num_outputs: int) -> None:
        """Map the last of ``level_channels`` to ``num_outputs``."""
        super().__init__()
        self.linear = nn.Linear(level_channels[-1], num_outputs)

    def forward(self, levels: list[SparseTensor], batch: LabelledBatch) -> torch.Tensor:
        """Compute the logits (M, K)."""
        return self.linear(levels[-1].features)


class HierarchicalHead(Head):
    """One linear layer on the concatenated levels, each upsampled to the finest.

    For linear probing: the choice of features changes the score two- to threefold
    (arXiv 2504.06719, table 1, against the probes of Sonata). Follow-up work interpolates coarse
    levels trilinearly. Here a voxel takes the features of the coarse cell that contains it, which
    does not depend on occupied neighbours.
    """

    def __init__(self, level_channels: Sequence[int], num_outputs: int) -> None:
        """Map the sum of ``level_channels`` to ``num_outputs``."""
        super().__init__()
        self.linear = nn.Linear(sum(level_channels), num_outputs)

    def forward(self, levels: list[SparseTensor], batch: LabelledBatch) -> torch.Tensor:
        """Compute the logits (M, K)."""
        finest = levels[-1].coordinates
        columns = [
            level.features[rows_of_cells(finest, level.coordinates, level.stride)]
            for level in levels[:-1]
        ]
        return self.linear(torch.cat([*columns, levels[-1].features], dim=1))


def rows_of_cells(
    coordinates: torch.Tensor, cells: torch.Tensor, stride: Sequence[int]
) -> torch.Tensor:
    """Find the coarse cell that contains each voxel.

    Args:
        coordinates: (M, 1+D) int32 voxels, batch index first.
        cells: (C, 1+D) int32 occupied cells, multiples of the stride; every voxel lies in one.
        stride: Stride of the cells, D integers.

    Returns:
        (M,) int64 rows of ``cells``.
    """
    steps = torch.tensor([1, *stride], dtype=coordinates.dtype, device=coordinates.device)
    wanted = torch.div(coordinates, steps, rounding_mode="floor") * steps
    lowest = cells.amin(dim=0).long()
    extent = cells.amax(dim=0).long() - lowest + 1
    # Lexicographic keys: the place value of a column is the product of the later columns' sizes
    place = torch.flip(torch.cumprod(torch.flip(extent, [0]), 0), [0]).roll(-1)
    place[-1] = 1
    keys = ((cells.long() - lowest) * place).sum(dim=1)
    order = torch.argsort(keys)
    found = torch.searchsorted(keys[order], ((wanted.long() - lowest) * place).sum(dim=1))
    return order[found]
