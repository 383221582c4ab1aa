"""The benchmark of detection runs on recorded and on generated images; its figures agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointcontrast.errors import InputError
from tests.speed.conftest import Benchmark
from tools.speed.detection import benchmark_detection


def test_a_small_recipe(checkout: Path, benchmark: Benchmark) -> None:
    figures = benchmark(
        checkout, "detection", "--num-points", 1500, "--num-seeds", 64, "--num-proposals", 16,
        "--voxel-size", 0.1, "--variant", "14A", "--rounds", 2, "--steps", 2,
    )  # fmt: skip
    assert figures["num_clouds"] == 4
    for name in ("seeds_per_second", "proposals_per_second", "small_speedup_over_loops"):
        assert figures[name] > 0
    assert 0 < figures["outside_backbone_share"] < 1
    parts = [
        figures[f"step_{part}_ms_quartile_low"]
        for part in ("backbone_forward", "head_forward", "loss", "head_backward")
    ]
    assert sum(parts) < figures["step_ms_quartile_high"]


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--steps 1"):
        benchmark_detection(steps=1)
    with pytest.raises(InputError, match="neither the release"):
        benchmark_detection(tmp_path, steps=2)
