from __future__ import annotations

import numpy as np
import pytest

from downstream.blocks import overlapping_blocks
from pointcontrast.errors import InputError


def scene(seed: int, count: int, size: tuple[int, int, int], dimension: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    high = (*size, 3)[:dimension]
    return np.unique(rng.integers(0, high, (count, dimension)), axis=0).astype(np.int32)


@pytest.mark.parametrize("dimension", [3, 4])
@pytest.mark.parametrize(("size", "overlap"), [((300, 80, 20), 10), ((60, 200, 5), 0)])
def test_every_voxel_is_decided_once_and_sees_its_surroundings(
    size: tuple[int, int, int], overlap: int, dimension: int
) -> None:
    coordinates = scene(0, 20_000, size, dimension)
    blocks = list(overlapping_blocks(coordinates, 4000, overlap))
    assert len(blocks) > 5
    decided = np.concatenate([block.rows[block.core] for block in blocks])
    assert sorted(decided.tolist()) == list(range(len(coordinates)))
    rng = np.random.default_rng(1)
    for block in blocks:
        assert len(block.rows) <= 4000
        assert (np.diff(block.rows) > 0).all()
        members = set(block.rows.tolist())
        for row in rng.choice(block.rows[block.core], 20):
            away = np.abs(coordinates[:, :2] - coordinates[row, :2]).max(axis=1)
            assert set(np.flatnonzero(away <= overlap).tolist()) <= members


def test_a_scene_that_fits_is_one_block() -> None:
    coordinates = scene(2, 500, (50, 50, 50))
    (block,) = overlapping_blocks(coordinates, len(coordinates), 5)
    assert block.core.all()
    np.testing.assert_array_equal(block.rows, np.arange(len(coordinates)))


def test_a_large_scene_is_cut_into_few_blocks() -> None:
    coordinates = scene(3, 1_000_000, (2000, 1000, 60))
    blocks = list(overlapping_blocks(coordinates, 300_000, 20))
    assert 4 <= len(blocks) <= 8
    assert sum(int(block.core.sum()) for block in blocks) == len(coordinates)


def test_what_cannot_be_cut_is_named() -> None:
    column = np.stack([np.zeros(500), np.zeros(500), np.arange(500)], axis=1).astype(np.int32)
    with pytest.raises(InputError, match=r"holds 500 voxels .*raise max_voxels \(100\)"):
        list(overlapping_blocks(column, 100, 3))
    wide = scene(4, 5000, (100, 100, 2))
    with pytest.raises(InputError, match="lower the overlap"):
        list(overlapping_blocks(wide, 1000, 60))
