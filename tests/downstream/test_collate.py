from __future__ import annotations

import numpy as np
import pytest
import torch

from downstream.samples import collate_samples
from downstream.types import IGNORE, LabelledSample


def sample(num_voxels: int, value: int = 0, dimensions: int = 3) -> LabelledSample:
    size = (num_voxels, dimensions)
    return LabelledSample(
        name=f"room {value}",
        coordinates=np.arange(num_voxels * dimensions, dtype=np.int32).reshape(size) - 4,
        points=np.full((num_voxels, 3), value, np.float32),
        features=np.full((num_voxels, 2), value + 0.5, np.float32),
        labels=np.full(num_voxels, value, np.int32),
        category=value if value else IGNORE,
        boxes=np.full((value, 8), value, np.float32),
        box_rows=np.full((num_voxels, 3), value - 1, np.int32),
    )


@pytest.mark.parametrize("dimensions", [3, 4])
def test_rows_of_a_sample_stay_its_own(dimensions: int) -> None:
    batch = collate_samples([sample(3, 1, dimensions), sample(2, 2, dimensions)])
    assert batch.names == ("room 1", "room 2")
    assert len(batch) == 2
    assert batch.offsets == (0, 3, 5)
    assert batch.coordinates[:, 0].tolist() == [0, 0, 0, 1, 1]
    assert batch.coordinates.shape == (5, 1 + dimensions)
    for index, rows in enumerate((slice(0, 3), slice(3, 5))):
        expected = sample(3 - index, 1, dimensions).coordinates
        np.testing.assert_array_equal(batch.coordinates[rows, 1:], expected)
    assert batch.features.tolist() == [[1.5, 1.5]] * 3 + [[2.5, 2.5]] * 2
    assert batch.labels.tolist() == [1, 1, 1, 2, 2]
    assert batch.categories.tolist() == [1, 2]
    assert batch.coordinates.dtype == torch.int32
    assert batch.features.dtype == torch.float32
    assert batch.labels.dtype == batch.categories.dtype == torch.int64
    assert batch.num_dropped == 0
    assert batch.points[:, 0].tolist() == [1, 1, 1, 2, 2]
    assert batch.box_rows.dtype == torch.int32
    assert batch.box_rows[:, 2].tolist() == [0, 0, 0, 1, 1]
    assert batch.boxes.shape == (2, 2, 8)  # of the one that has most
    assert batch.boxes[..., 7].tolist() == [[1, IGNORE], [2, 2]]


@pytest.mark.parametrize(
    ("sizes", "max_voxels", "kept"),
    [
        ((5, 4, 3), 0, [0, 1, 2]),
        ((5, 4, 3), 12, [0, 1, 2]),
        ((5, 4, 3), 11, [0, 1]),
        ((5, 4, 3), 8, [0, 2]),
        ((5, 4, 3), 4, [0]),
        ((1, 9, 1, 1), 3, [0, 2, 3]),
    ],
)
def test_what_would_make_it_too_large_is_left_out_and_counted(
    sizes: tuple[int, ...], max_voxels: int, kept: list[int]
) -> None:
    samples = [sample(size, index) for index, size in enumerate(sizes)]
    batch = collate_samples(samples, max_voxels)
    assert batch.names == tuple(f"room {index}" for index in kept)
    assert batch.num_dropped == len(sizes) - len(kept)
    assert np.diff(batch.offsets).tolist() == [sizes[index] for index in kept]
    assert batch.coordinates[:, 0].unique().tolist() == list(range(len(kept)))
    assert len(batch.labels) == len(batch.features) == len(batch.coordinates) == batch.offsets[-1]


def test_the_samples_stay_as_they_are() -> None:
    given = sample(3, 1)
    collate_samples([given]).coordinates.fill_(9)
    np.testing.assert_array_equal(given.coordinates, sample(3, 1).coordinates)
