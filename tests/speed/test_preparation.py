"""The benchmark of preparation runs on recorded and on generated frames."""

from __future__ import annotations

from pathlib import Path

from tests.speed.conftest import NUM_FRAMES, Benchmark


def test_all_views_are_prepared_twice(checkout: Path, benchmark: Benchmark) -> None:
    figures = benchmark(
        checkout, "prepare", "--num-scans", 2, "--num-workers", 2,
        "--generated-frames", NUM_FRAMES,
    )  # fmt: skip
    assert figures["num_frames"] == NUM_FRAMES
    assert figures["num_views"] == 2 * NUM_FRAMES
    # depth of 640x480 or 320x240 pixels and colours, compressed
    assert 1000 < figures["bytes_a_view"] < 300_000
    assert figures["views_a_second_1_process"] > 0
    assert figures["views_a_second_2_processes"] > 0
