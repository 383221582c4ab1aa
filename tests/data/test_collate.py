from __future__ import annotations

import numpy as np
import torch

from pointcontrast.data.collate import collate_pairs
from pointcontrast.types import Pair, PairSample, VoxelizedView


def view(num_rows: int, value: float) -> VoxelizedView:
    return VoxelizedView(
        coordinates=np.arange(num_rows * 3, dtype=np.int32).reshape(-1, 3) - 4,
        features=np.full((num_rows, 2), value, np.float32),
        points=np.full((num_rows, 3), value, np.float32),
    )


def sample(num0: int, num1: int, correspondences: list, value: float = 0) -> PairSample:
    return PairSample(
        pair=Pair("room", int(value), 1, 0.5),
        view0=view(num0, value),
        view1=view(num1, value + 0.5),
        correspondences=np.array(correspondences, np.int64).reshape(-1, 2),
    )


def test_rows_of_a_sample_stay_its_own() -> None:
    batch = collate_pairs([sample(3, 4, [[0, 1], [2, 3]], 1), sample(2, 5, [[1, 4]], 2)])
    assert batch.view0.offsets == (0, 3, 5)
    assert batch.view1.offsets == (0, 4, 9)
    assert batch.view0.coordinates[:, 0].tolist() == [0, 0, 0, 1, 1]
    assert batch.view0.coordinates.dtype == torch.int32
    assert batch.view0.coordinates[3, 1:].tolist() == [-4, -3, -2]
    assert batch.correspondences.tolist() == [[0, 1], [2, 3], [4, 8]]
    assert batch.correspondences.dtype == torch.int64
    assert batch.view1.features[:, 0].tolist() == [1.5] * 4 + [2.5] * 5
    assert len(batch) == 2


def test_a_pair_without_a_match_is_left_out_and_counted() -> None:
    batch = collate_pairs([sample(3, 4, [], 1), sample(2, 5, [[1, 4]], 2)])
    assert [pair.view0 for pair in batch.pairs] == [2]
    assert batch.num_dropped == 1
    assert batch.correspondences.tolist() == [[1, 4]]
    assert batch.view0.offsets == (0, 2)


def test_no_match_at_all_is_an_empty_batch() -> None:
    batch = collate_pairs([sample(3, 4, [])])
    assert len(batch) == 0
    assert batch.num_dropped == 1
    assert batch.correspondences.shape == (0, 2)
    assert len(batch.view0.coordinates) == 0


def test_moving_to_a_device_keeps_everything() -> None:
    batch = collate_pairs([sample(3, 4, [[0, 1]])])
    moved = batch.to("meta")
    assert moved.view0.features.device.type == "meta"
    assert moved.correspondences.device.type == "meta"
    assert moved.pairs == batch.pairs
