"""The benchmark of the engines runs, and its figures are there; its times are no test."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from pointcontrast.errors import InputError
from tests.oracles.engines import engine_or_skip
from tests.speed.conftest import Benchmark
from tools.speed import convolution_passes
from tools.speed.engine import benchmark_engine
from tools.speed.voxelized_views import batch_of_voxels


def test_batch_is_whole_views_and_a_cut_one(rooms: Path) -> None:
    coordinates, names = batch_of_voxels([rooms], 3000, 0.05)
    assert coordinates.shape == (3000, 4)
    assert coordinates.dtype == torch.int32
    assert len(torch.unique(coordinates, dim=0)) == 3000
    assert coordinates[:, 0].diff().min() == 0
    assert len(names.split(", ")) == 2
    again, _ = batch_of_voxels([rooms], 3000, 0.05)
    assert torch.equal(again, coordinates)


def test_more_voxels_than_one_round_of_views_has(rooms: Path) -> None:
    coordinates, _ = batch_of_voxels([rooms], 20_000, 0.1)
    assert len(torch.unique(coordinates, dim=0)) == 20_000


def test_every_figure_is_there(checkout: Path, benchmark: Benchmark) -> None:
    engine_or_skip("minkowski")
    has_data = (checkout.parent / "shared").exists()
    sizes = (1000, 2000) if has_data else (1000,)
    figures = benchmark(
        checkout, "engine", "--num-voxels", *sizes, "--rounds", 2, "--voxel-size", 0.1,
        "--variant", "14A", "--generated-rooms", 1, "--generated-frames", 2,
    )  # fmt: skip
    assert ("redkitchen" in figures["views"]) == has_data
    for size in sizes:
        size = f"{size // 1000}k"
        for part in ("maps", "forward", "backward", "optimizer", "step", "evaluation"):
            assert isinstance(figures[f"{part}_speedup_{size}"], float)
            for engine in ("native", "minkowski"):
                median = figures[f"{engine}_{part}_{size}_ms_median"]
                # maps are the difference of two times: of small ones, noise can make it negative
                assert math.isfinite(median) if part == "maps" else median > 0
        assert 0 < figures[f"peak_memory_ratio_{size}"] < 10
        assert any(name.startswith(f"fraction_narrow_{size}") for name in figures)


def test_wide_passes_are_fractions_of_the_peak(
    rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution_passes, "MANY_ROWS", 500)
    coordinates, _ = batch_of_voxels([rooms], 2000, 0.05)
    figures = convolution_passes.measure_passes(coordinates, "14A", 2, "2k")
    wide = [float(v) for name, v in figures.items() if name.startswith("fraction_wide")]
    assert wide
    assert min(wide) > 0


@pytest.mark.parametrize(("rounds", "frames", "message"), [
    (1, None, "--rounds 1 must be 2 or more"),
    (2, "nowhere", "nowhere does not exist"),
])  # fmt: skip
def test_bad_input(rounds: int, frames: str | None, message: str, tmp_path: Path) -> None:
    folders = None if frames is None else [tmp_path / frames]
    with pytest.raises(InputError, match=message):
        benchmark_engine(folders, [1000], 0.05, rounds, "14A")
