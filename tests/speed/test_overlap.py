"""The benchmark of overlaps runs, and its figures are there; its times are no test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from tests.speed.conftest import NUM_FRAMES, Benchmark
from tools.speed.command import main
from tools.speed.overlap import benchmark_overlap
from tools.speed.overlap_scene import read_scene


def test_frames_come_again_moved_a_little(rooms: Path) -> None:
    room = rooms / "room_0000"
    views, (sequence,) = read_scene([room], 13)
    assert len(sequence) == 10
    for k in range(3):
        first, again = views[k], views[10 + k]
        assert first.shape == again.shape
        off = np.linalg.norm(first - again, axis=1)
        assert 0.001 < np.median(off) < 0.3
    for view, again in zip(views, read_scene([room], 13)[0], strict=True):
        np.testing.assert_array_equal(view, again)


def test_more_frames_than_views(rooms: Path) -> None:
    views, _ = read_scene([rooms / "room_0000"], 4)
    everything, _ = read_scene([rooms / "room_0000"], 10)
    for view, index in zip(views, (0, 3, 6, 9), strict=True):
        np.testing.assert_array_equal(view, everything[index])


def test_few_views(checkout: Path, benchmark: Benchmark) -> None:
    figures = benchmark(
        checkout, "overlap", "--views", 5, "--sample-pairs", 2, "--rounds", 1,
        "--generated-frames", 4,
    )  # fmt: skip
    has_data = (checkout.parent / "shared").exists()
    assert figures["scene"] == ("redkitchen" if has_data else "room_0000")
    assert figures["num_frames"] == (NUM_FRAMES if has_data else 4)
    assert figures["overlap_exact_max_error"] == 0
    assert 0 < figures["store_disk_ratio"] < 1


def test_every_figure_is_there(rooms: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    command = ["overlap", "--frames", str(rooms / "room_0000"), "--views", "12"]
    assert main([*command, "--sample-pairs", "7", "--rounds", "2", "--json", str(path)]) == 0
    figures = json.loads(path.read_text())
    assert all(isinstance(value, int | float | str) for value in figures.values())
    assert figures["overlap_exact_max_error"] == 0
    assert 0.9 < figures["overlap_fast_agreement"] <= 1
    assert figures["num_pairs"] == 66
    assert figures["num_sampled_pairs"] == 7
    assert figures["num_points"] > 100_000
    assert 0 < figures["overlap_fast_mean_error"] < 0.02
    for suffix in ("", "_exact"):
        whole = figures[f"overlap_speedup{suffix}"]
        assert 0 < figures[f"overlap_speedup{suffix}_without_downsampling"] <= whole
    assert 0 < figures["downsampling_seconds"] < figures["fast_seconds_max"]
    assert 0 < figures["store_disk_ratio"] < 1


@pytest.mark.parametrize(("views", "pairs", "rounds", "frames", "message"), [
    (1, 1, 1, None, "--views 1 must be 2 or more"),
    (2, 0, 1, None, "--sample-pairs 0 must be 1 or more"),
    (2, 1, 0, None, "--rounds 0 must be 1 or more"),
    (2, 1, 1, "nowhere", "nowhere does not exist"),
])  # fmt: skip
def test_bad_input(
    views: int, pairs: int, rounds: int, frames: str | None, message: str, tmp_path: Path
) -> None:
    folders = None if frames is None else [tmp_path / frames]
    with pytest.raises(InputError, match=message):
        benchmark_overlap(folders, views, pairs, rounds)
