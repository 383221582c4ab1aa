"""The benchmark of loading runs, and both loaders find the same correspondences."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointcontrast.errors import InputError
from tests.speed.conftest import Benchmark
from tools.speed.pair_loading import benchmark_pairs


def test_two_pairs(checkout: Path, benchmark: Benchmark) -> None:
    figures = benchmark(
        checkout, "pairs", "--num-pairs", 2, "--rounds", 2, "--voxel-size", 0.1,
        "--generated-rooms", 1, "--generated-frames", 5,
    )  # fmt: skip
    assert figures["num_pairs"] == 2
    assert figures["pair_speedup"] > 0


def test_both_loaders_find_the_same(prepared: Path) -> None:
    figures = benchmark_pairs(prepared, num_pairs=3, voxel_size=0.05, rounds=2)
    assert figures["correspondences_ratio"] == pytest.approx(1.0, abs=1e-3)


def test_one_round_is_too_few(prepared: Path) -> None:
    with pytest.raises(InputError, match="--rounds 1 must be 2 or more"):
        benchmark_pairs(prepared, num_pairs=1, voxel_size=0.05, rounds=1)
