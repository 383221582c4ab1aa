from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.data.blocks import overlapping_blocks
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
    blocks = overlapping_blocks(coordinates, 4000, overlap)
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
    blocks = overlapping_blocks(coordinates, 300_000, 20)
    assert 4 <= len(blocks) <= 8
    assert sum(int(block.core.sum()) for block in blocks) == len(coordinates)


def test_what_cannot_be_cut_is_named() -> None:
    column = np.stack([np.zeros(500), np.zeros(500), np.arange(500)], axis=1).astype(np.int32)
    with pytest.raises(InputError, match=r"holds 500 voxels .*raise max_voxels \(100\)"):
        overlapping_blocks(column, 100, 3)
    wide = scene(4, 5000, (100, 100, 2))
    with pytest.raises(InputError, match="lower the overlap"):
        overlapping_blocks(wide, 1000, 60)


def test_every_core_sees_exactly_what_is_near() -> None:
    # all voxels against all voxels, with negative indices, one dense corner and a stray voxel
    rng = np.random.default_rng(5)
    spread = rng.integers((-40, -5, 0), (40, 5, 9), (1500, 3))
    dense = rng.integers((-40, -5, 0), (-34, 1, 30), (900, 3))
    coordinates = np.unique(np.vstack([spread, dense, [[400, 3, 1]]]), axis=0).astype(np.int32)
    blocks = overlapping_blocks(coordinates, 900, 2)
    assert np.bincount(np.concatenate([b.rows[b.core] for b in blocks])).tolist() == [1] * len(
        coordinates
    )
    for block in blocks:
        core = coordinates[block.rows[block.core], :2]
        away = np.abs(coordinates[:, None, :2] - core[None]).max(axis=2)
        near = np.flatnonzero((away <= 2).any(axis=1))
        assert set(near.tolist()) <= set(block.rows.tolist())
        # and no more than the core's box with that margin
        low, high = coordinates[block.rows, :2].min(axis=0), coordinates[block.rows, :2].max(axis=0)
        inside = (coordinates[:, :2] >= low) & (coordinates[:, :2] <= high)
        assert inside.all(axis=1).sum() == len(block.rows)


def test_neither_height_nor_time_is_cut() -> None:
    column = np.array([[x, 0, z, t] for x in range(4) for z in range(50) for t in range(3)])
    blocks = overlapping_blocks(column.astype(np.int32), 300, 0)
    assert [len(block.rows) for block in blocks] == [300, 300]
    assert [np.unique(column[block.rows, 0]).tolist() for block in blocks] == [[0, 1], [2, 3]]


def test_surroundings_that_leave_next_to_no_core_are_refused_at_once() -> None:
    coordinates = np.stack(np.meshgrid(range(120), range(120), [0]), axis=-1).reshape(-1, 3)
    most = 21 * 21  # one voxel and its surroundings
    with pytest.raises(InputError, match="computed more than 20 times; raise max_voxels or lower"):
        overlapping_blocks(coordinates.astype(np.int32), most, 10)
    with pytest.raises(InputError, match=f"holds {most} voxels with 10 voxels around"):
        overlapping_blocks(coordinates.astype(np.int32), most - 1, 10)


def test_nothing_is_one_empty_block_and_bad_values_are_named() -> None:
    (block,) = overlapping_blocks(np.empty((0, 3), np.int32), 10, 1)
    assert len(block.rows) == len(block.core) == 0
    for max_voxels, overlap in ((0, 1), (5, -1)):
        with pytest.raises(InputError, match=f"max_voxels {max_voxels} .* overlap {overlap}"):
            overlapping_blocks(np.zeros((3, 3), np.int32), max_voxels, overlap)


def test_a_cut_never_leaves_an_empty_half() -> None:
    # more than half of the voxels stand at the smallest x, then at the largest
    heights = np.repeat([0, 1, 2, 3], [70, 10, 10, 10])
    for along in (heights, -heights):
        column = np.stack([along, np.zeros(100), np.arange(100)], axis=1).astype(np.int32)
        blocks = overlapping_blocks(column, 75, 0)
        assert sorted(len(block.rows) for block in blocks) == [30, 70]
