"""Labelled samples to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray

from downstream.types import IGNORE, LabelledBatch, LabelledSample


def collate_samples(samples: Sequence[LabelledSample], max_voxels: int = 0) -> LabelledBatch:
    """Stack samples; the index of each becomes column 0 of the coordinates.

    A sample that would take the batch over ``max_voxels`` is left out and counted, as by
    ``limit_numpoints`` of SpatioTemporalSegmentation and PointContrast
    (``downstream/semseg/lib/transforms.py cfl_collate_fn_factory``).

    Deviations: the first sample stays whatever its size, where the authors' batch is then empty
    and stops the run; those after one that was left out stay where they fit.

    Args:
        samples: at least one; all of as many dimensions and channels.
        max_voxels: 0 for no limit.

    Returns:
        The batch, at least one sample.
    """
    kept: list[LabelledSample] = []
    num_voxels = 0
    for sample in samples:
        if not kept or not max_voxels or num_voxels + len(sample) <= max_voxels:
            kept.append(sample)
            num_voxels += len(sample)
    offsets = (0, *accumulate(len(sample) for sample in kept))
    coordinates = np.empty((num_voxels, 1 + kept[0].coordinates.shape[1]), np.int32)
    coordinates[:, 0] = np.repeat(np.arange(len(kept)), np.diff(offsets))
    np.concatenate([sample.coordinates for sample in kept], out=coordinates[:, 1:])

    def joined(name: str) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([getattr(sample, name) for sample in kept]))

    return LabelledBatch(
        names=tuple(sample.name for sample in kept),
        coordinates=torch.from_numpy(coordinates),
        points=joined("points"),
        features=joined("features"),
        labels=joined("labels").long(),
        categories=torch.tensor([sample.category for sample in kept], dtype=torch.int64),
        boxes=_padded([sample.boxes for sample in kept]),
        box_rows=joined("box_rows"),
        offsets=offsets,
        num_dropped=len(samples) - len(kept),
    )


def _padded(boxes: list[NDArray[np.float32]]) -> torch.Tensor:
    """Boxes of B samples as (B, K, 8); rows that are none have class ``IGNORE`` and are 0 else."""
    padded = np.zeros((len(boxes), max(map(len, boxes)), 8), np.float32)
    padded[..., 7] = IGNORE
    for row, some in zip(padded, boxes, strict=True):
        row[: len(some)] = some
    return torch.from_numpy(padded)
