"""A batch of voxels of which nothing is known."""

from __future__ import annotations

import torch

from downstream.types import IGNORE, LabelledBatch


def plain_batch(
    coordinates: torch.Tensor, features: torch.Tensor, num_samples: int = 1
) -> LabelledBatch:
    """Of coordinates (M, 1+D), in any order unless ``num_samples`` is 1."""
    count = len(coordinates)
    return LabelledBatch(
        names=tuple(f"cloud {number}" for number in range(num_samples)),
        coordinates=coordinates,
        points=coordinates[:, 1:4].float(),
        features=features,
        labels=torch.full((count,), IGNORE),
        categories=torch.full((num_samples,), IGNORE),
        boxes=torch.zeros(num_samples, 0, 8),
        box_rows=torch.full((count, 3), -1, dtype=torch.int32),
        offsets=(0, *torch.bincount(coordinates[:, 0], minlength=num_samples).cumsum(0).tolist()),
    )
