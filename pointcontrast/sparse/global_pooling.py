"""Pooling of all rows of a sample, the same code on both engines.

(N, C) rows become one row per sample, (B, C), where B is the largest batch index plus 1. A sample
without rows gives zeros.
"""

from __future__ import annotations

import torch
from torch import nn

from pointcontrast.sparse.sparse_tensor import SparseTensor


class GlobalSumPooling(nn.Module):
    """Sum over each sample."""

    def forward(self, x: SparseTensor) -> torch.Tensor:
        """Pool features (N, C) to (B, C)."""
        sample, num_samples = _samples(x)
        return _sums(x.features, sample, num_samples)


class GlobalAveragePooling(nn.Module):
    """Mean over each sample."""

    def forward(self, x: SparseTensor) -> torch.Tensor:
        """Pool features (N, C) to (B, C)."""
        sample, num_samples = _samples(x)
        count = torch.bincount(sample, minlength=num_samples).clamp_min(1)
        return _sums(x.features, sample, num_samples) / count[:, None].to(x.features.dtype)


class GlobalMaxPooling(nn.Module):
    """Maximum of each channel over each sample."""

    def forward(self, x: SparseTensor) -> torch.Tensor:
        """Pool features (N, C) to (B, C)."""
        sample, num_samples = _samples(x)
        return largest_by_row(x.features, sample, num_samples)


def largest_by_row(features: torch.Tensor, rows: torch.Tensor, num_rows: int) -> torch.Tensor:
    """Scatter features by maximum; equal maxima share the gradient.

    Args:
        features: Features (M, C).
        rows: Output row of each feature vector (M,), int64.
        num_rows: Number of output rows.

    Returns:
        Maxima (num_rows, C), 0 for rows without features.
    """
    return features.new_zeros(num_rows, features.shape[1]).scatter_reduce(
        0, rows[:, None].expand_as(features), features, "amax", include_self=False
    )


def _samples(x: SparseTensor) -> tuple[torch.Tensor, int]:
    """Batch index of each row (N,), int64, and the number of samples."""
    sample = x.coordinates[:, 0].long()
    return sample, int(sample.max()) + 1 if len(sample) else 0


def _sums(features: torch.Tensor, sample: torch.Tensor, num_samples: int) -> torch.Tensor:
    return features.new_zeros(num_samples, features.shape[1]).index_add(0, sample, features)
