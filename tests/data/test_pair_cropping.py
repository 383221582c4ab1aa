"""Cutting pairs that are too large: against loops, on generated and on real views."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pointcontrast.data.collate import collate_pairs
from pointcontrast.data.correspondences import find_correspondences
from pointcontrast.data.module import PairDataModule
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.pair_cropping import crop_pair
from pointcontrast.data.pair_dataset import PairDataset
from pointcontrast.errors import InputError
from pointcontrast.preparation.prepare import Settings, prepare
from pointcontrast.scenes.pairs import PAIRS_FILE, read_pairs
from pointcontrast.types import Pair, PairSample, VoxelizedView

RADIUS = 0.15


def view(points: NDArray[np.float32]) -> VoxelizedView:
    rows = np.arange(len(points))
    return VoxelizedView(
        coordinates=np.stack([rows] * 3, axis=1).astype(np.int32),
        features=rows[:, None].astype(np.float32),
        points=points,
    )


def random_pair(sizes: tuple[int, int], seed: int) -> PairSample:
    rng = np.random.default_rng(seed)
    points = [rng.uniform(0, 1, (size, 3)).astype(np.float32) for size in sizes]
    return PairSample(
        pair=Pair("s", 0, 1, 0.5), view0=view(points[0]), view1=view(points[1]),
        correspondences=find_correspondences(*points, RADIUS),
    )  # fmt: skip


def kept_by_loops(sample: PairSample, max_voxels: int, rng: np.random.Generator) -> list[list[int]]:
    """Which rows stay: shrink a ball point by point until neither view has too many in it."""
    row = sample.correspondences[rng.integers(len(sample.correspondences)), 0]
    center = sample.view0.points[row]
    far = [[math.dist(p, center) for p in v.points] for v in (sample.view0, sample.view1)]
    for reach in sorted({*far[0], *far[1], math.inf}, reverse=True):
        kept = [[i for i, d in enumerate(each) if d < reach] for each in far]
        if max(map(len, kept)) <= max_voxels:
            return kept
    raise AssertionError


@pytest.mark.parametrize("sizes", [(300, 200), (200, 300), (300, 40), (40, 300)])
@pytest.mark.parametrize("max_voxels", [1, 20, 100])
def test_against_loops(sizes: tuple[int, int], max_voxels: int) -> None:
    for seed in range(3):
        sample = random_pair(sizes, seed)
        cut = crop_pair(sample, max_voxels, np.random.default_rng(seed))
        kept = kept_by_loops(sample, max_voxels, np.random.default_rng(seed))
        assert cut.is_cropped
        for before, after, rows in zip(
            (sample.view0, sample.view1), (cut.view0, cut.view1), kept, strict=True
        ):
            assert len(after.points) <= max_voxels
            np.testing.assert_array_equal(after.points, before.points[rows])
            np.testing.assert_array_equal(after.coordinates, before.coordinates[rows])
            np.testing.assert_array_equal(after.features, before.features[rows])
        found = find_correspondences(cut.view0.points, cut.view1.points, RADIUS)
        np.testing.assert_array_equal(cut.correspondences, found)


def test_as_many_stay_as_may() -> None:
    cut = crop_pair(random_pair((300, 200), 0), 100, np.random.default_rng(0))
    assert max(len(cut.view0.points), len(cut.view1.points)) == 100


def test_what_is_small_enough_or_without_a_match_stays() -> None:
    sample = random_pair((50, 40), 0)
    rng = np.random.default_rng(0)
    assert crop_pair(sample, 50, rng) is sample
    assert rng.random() == np.random.default_rng(0).random()
    apart = PairSample(sample.pair, sample.view0, sample.view1, np.zeros((0, 2), np.int64))
    assert crop_pair(apart, 10, rng) is apart


def test_cut_pairs_are_counted_where_they_are_used() -> None:
    whole = random_pair((50, 40), 0)
    cut = crop_pair(whole, 30, np.random.default_rng(0))
    assert collate_pairs([whole, cut, cut]).num_cropped == 2
    assert collate_pairs([whole]).num_cropped == 0


def test_the_limit_changes_nothing_below_it_and_is_a_function_of_the_key(prepared: Path) -> None:
    pairs = read_pairs(prepared / PAIRS_FILE)
    network_input = NetworkInput(0.1, ("color",))

    def dataset(max_voxels: int) -> PairDataset:
        return PairDataset(
            prepared, pairs, network_input, match_radius=1.5, seed=3, max_voxels=max_voxels
        )

    free, limited = dataset(0)[2, 1], dataset(100_000)[2, 1]
    np.testing.assert_array_equal(free.view1.features, limited.view1.features)
    assert not limited.is_cropped
    first, again, later = dataset(300)[2, 1], dataset(300)[2, 1], dataset(300)[3, 1]
    assert first.is_cropped
    assert 0 < len(first.correspondences) < len(free.correspondences)
    np.testing.assert_array_equal(first.view0.points, again.view0.points)
    assert not np.array_equal(first.view0.points, later.view0.points)


def test_real_views_keep_their_matches(real_data: Path, tmp_path: Path) -> None:
    scene = real_data / "redkitchen"
    prepare([scene], tmp_path / "prepared", Settings(frame_skip=10))
    root = tmp_path / "prepared"
    pairs = read_pairs(root / PAIRS_FILE)[:6]
    network_input = NetworkInput(0.025)
    for index in range(len(pairs)):
        whole, cut = (
            PairDataset(root, pairs, network_input, match_radius=1.5, seed=0, max_voxels=n)[
                0, index
            ]
            for n in (0, 2000)
        )
        assert len(whole.view0.points) > 2000
        assert max(len(cut.view0.points), len(cut.view1.points)) == 2000
        # what the two share of the ball: a random choice of as many voxels would keep few
        ratio = 2000 / max(len(whole.view0.points), len(whole.view1.points))
        assert len(cut.correspondences) > ratio / 2 * len(whole.correspondences)


def test_a_negative_limit_is_named() -> None:
    with pytest.raises(InputError, match=r"data\.max_voxels -1 must not be negative"):
        PairDataModule("x", max_voxels=-1)
