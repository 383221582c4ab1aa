"""The benchmark of loading runs, and both ways find the same correspondences."""

from pathlib import Path

import pytest

from tools.speed import voxelized_views
from tools.speed.pair_loading import benchmark_pairs


def test_both_ways_find_the_same(prepared: Path) -> None:
    figures = benchmark_pairs(prepared, num_pairs=3, voxel_size=0.05, rounds=2)
    assert figures["correspondences_ratio"] == pytest.approx(1.0, abs=1e-3)
    assert all(isinstance(value, (int, float)) for value in figures.values())


def test_without_a_root_one_is_prepared(rooms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voxelized_views, "SHARED_SCANS", rooms)
    figures = benchmark_pairs(None, num_pairs=2, voxel_size=0.05, rounds=2)
    assert figures["num_pairs"] == 2
