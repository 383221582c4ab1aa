"""Samples to a batch: the only place that writes the batch index."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pointcontrast.types import PairBatch, PairSample, ViewBatch, VoxelizedView


def collate_views(views: Sequence[VoxelizedView]) -> ViewBatch:
    """Stack voxelised views; the batch index of each becomes column 0 of the coordinates.

    Args:
        views: B views; coordinates (N_b, 3) int32, features (N_b, C) float32, points (N_b, 3).

    Returns:
        The batch: coordinates (N, 4) int32, features (N, C), points (N, 3), B+1 offsets.
    """
    offsets = (0, *accumulate(len(view.coordinates) for view in views))
    coordinates = np.empty((offsets[-1], 4), np.int32)
    for index, view in enumerate(views):
        rows = slice(offsets[index], offsets[index + 1])
        coordinates[rows, 0] = index
        coordinates[rows, 1:] = view.coordinates
    return ViewBatch(
        coordinates=torch.from_numpy(coordinates),
        features=_stack([view.features for view in views]),
        points=_stack([view.points for view in views]),
        offsets=offsets,
    )


def collate_pairs(samples: Sequence[PairSample]) -> PairBatch:
    """Stack pairs; a pair without a correspondence is left out and counted.

    Deviation: the released code gives it the false match (0, 0).

    Args:
        samples: Pairs, from one epoch or several.

    Returns:
        The batch; it holds no pair where none has a correspondence.
    """
    kept = [sample for sample in samples if len(sample.correspondences)]
    view0 = collate_views([sample.view0 for sample in kept])
    view1 = collate_views([sample.view1 for sample in kept])
    correspondences = [
        sample.correspondences + np.array([view0.offsets[b], view1.offsets[b]])
        for b, sample in enumerate(kept)
    ]
    return PairBatch(
        pairs=tuple(sample.pair for sample in kept),
        view0=view0,
        view1=view1,
        correspondences=_stack(correspondences, columns=2, dtype=np.int64),
        num_dropped=len(samples) - len(kept),
        num_cropped=sum(sample.is_cropped for sample in kept),
    )


def _stack(
    arrays: Sequence[NDArray[Any]], columns: int = 0, dtype: Any = np.float32
) -> torch.Tensor:
    """Concatenate arrays; (0, columns) where there is none."""
    return torch.from_numpy(np.concatenate(arrays) if arrays else np.zeros((0, columns), dtype))
