"""The benchmark of a run, small: its figures are there and agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.speed.conftest import Benchmark


def test_figures_of_a_small_run(checkout: Path, benchmark: Benchmark) -> None:
    figures = benchmark(
        checkout, "run", "--num-pairs", 8, "--steps", 4, "--workers", 0, 1, "--variant", "14A",
        "--voxel-size", 0.2, "--generated-rooms", 1, "--generated-frames", 5,
    )  # fmt: skip
    assert figures["pairs_per_second_0_workers"] > 0
    assert figures["pairs_per_second_1_workers"] > 0
    step, checkpoint = figures["step_seconds"], figures["checkpoint_seconds"]
    assert step > 0
    # weights and momenta of 14A, full width, in float32
    assert figures["checkpoint_megabytes"] > 10
    assert figures["checkpoint_share"] == pytest.approx(
        checkpoint / (checkpoint + 250 * step), rel=0.05
    )
