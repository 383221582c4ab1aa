"""The dataset under a plain ``DataLoader``: indices for keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from pointcontrast.data.collate import collate_pairs
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.pair_dataset import PairDataset
from pointcontrast.data.pair_readers import StoredPairs
from pointcontrast.types import PairBatch, PairSample


@pytest.fixture
def dataset(prepared: Path) -> PairDataset:
    pairs = StoredPairs().list_pairs(prepared, ("color",))[:5]
    return PairDataset(prepared, pairs, NetworkInput(voxel_size=0.15, features=("color",)))


def assert_same(one: PairSample, other: PairSample) -> None:
    assert one.pair == other.pair
    for side in ("view0", "view1"):
        for field in ("coordinates", "features", "points"):
            found, wanted = (getattr(getattr(sample, side), field) for sample in (one, other))
            assert np.array_equal(found, wanted)
    assert np.array_equal(one.correspondences, other.correspondences)


def test_an_index_is_a_key_of_the_datasets_epoch(dataset: PairDataset) -> None:
    assert_same(dataset[1], dataset[0, 1])
    assert_same(dataset[-1], dataset[0, 4])
    dataset.epoch = 3
    assert_same(dataset[1], dataset[3, 1])
    assert not np.array_equal(dataset[1].view0.coordinates, dataset[0, 1].view0.coordinates)
    with pytest.raises(IndexError):
        dataset[5]
    assert [sample.pair for sample in dataset] == dataset.pairs  # pyright: ignore


def batches(dataset: PairDataset, num_workers: int) -> Iterator[PairBatch]:
    loader = DataLoader(
        dataset, batch_size=2, collate_fn=collate_pairs, num_workers=num_workers,
        multiprocessing_context="forkserver" if num_workers else None,
    )  # fmt: skip
    for dataset.epoch in range(2):
        yield from loader


def test_a_plain_loader_serves_batches_whatever_its_workers(dataset: PairDataset) -> None:
    alone = list(batches(dataset, 0))
    assert [len(batch) for batch in alone] == [2, 2, 1] * 2
    assert not torch.equal(alone[0].view0.coordinates, alone[3].view0.coordinates)
    for one, other in zip(alone, batches(dataset, 2), strict=True):
        assert one.pairs == other.pairs
        assert torch.equal(one.view1.features, other.view1.features)
        assert torch.equal(one.correspondences, other.correspondences)
