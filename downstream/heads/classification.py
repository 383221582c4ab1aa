"""Heads with one row of logits per cloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from downstream.heads.head import Head
from downstream.types import LabelledBatch
from pointcontrast.errors import InputError
from pointcontrast.sparse import SparseTensor

PooledLevel = Literal["encoder", "decoder"]


class PoolingHead(Head):
    """Mean and maximum over a cloud's voxels, then one linear layer.

    No protocol was published. ``encoder`` pools the coarsest level, as sparse classification
    networks do, and leaves the decoder untrained. ``decoder`` pools the last level and uses all
    pretrained weights. The default is ``decoder``: the contrastive loss acts on that level only.
    """

    predicts = "clouds"

    def __init__(
        self,
        level_channels: Sequence[int],
        num_outputs: int,
        level: PooledLevel = "decoder",
        dropout: float = 0.5,
    ) -> None:
        """Map twice the channels of the pooled level to ``num_outputs``.

        Args:
            level_channels: Channels of the backbone's levels.
            num_outputs: Number of classes.
            level: Level to pool.
            dropout: Probability of zeroing each pooled channel in training.

        Raises:
            InputError: the level is unknown, or dropout is not in [0, 1).
        """
        super().__init__(level=level, dropout=dropout)
        if level not in ("encoder", "decoder"):
            raise InputError(f"head level {level!r} must be encoder or decoder")
        if not 0 <= dropout < 1:
            raise InputError(f"head dropout {dropout} must be in 0..1, below 1")
        row = 0 if level == "encoder" else -1
        self.levels_read = (row,)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * level_channels[row], num_outputs)

    def forward(self, levels: list[SparseTensor], batch: LabelledBatch) -> torch.Tensor:
        """Compute the logits (B, K)."""
        assert self.levels_read is not None
        level = levels[self.levels_read[0]]
        samples = level.coordinates[:, 0].long()
        return self.linear(self.dropout(pooled(level.features, samples, len(batch))))


def pooled(features: torch.Tensor, samples: torch.Tensor, num_samples: int) -> torch.Tensor:
    """Mean and maximum of the rows of each sample.

    Args:
        features: (M, C).
        samples: (M,) int64 batch index of each row; every sample has a row.
        num_samples: Number of samples B.

    Returns:
        (B, 2C): the means, then the maxima.
    """
    index = samples[:, None].expand_as(features)
    shape = (num_samples, features.shape[1])
    total = features.new_zeros(shape).scatter_add(0, index, features)
    counts = torch.bincount(samples, minlength=num_samples)[:, None]
    maxima = features.new_full(shape, -torch.inf).scatter_reduce(0, index, features, "amax")
    return torch.cat([total / counts, maxima], dim=1)
