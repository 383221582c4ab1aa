"""The benchmark of the engines runs end to end and says what it promises; its times are no test."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from pointcontrast.errors import InputError
from pointcontrast.sparse import kernel_library
from tests.oracles.engines import engine_or_skip
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


def test_every_figure_is_there(rooms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_or_skip("minkowski")
    monkeypatch.setattr(convolution_passes, "MANY_ROWS", 500)
    before = kernel_library.instruction_set()
    figures = benchmark_engine([rooms], [1000, 2000], 0.05, 2, "14A")
    assert kernel_library.instruction_set() == before
    for size in ("1k", "2k"):
        for part in ("maps", "forward", "backward", "optimizer", "step", "evaluation"):
            assert isinstance(figures[f"{part}_speedup_{size}"], float)
            for engine in ("native", "minkowski"):
                median = figures[f"{engine}_{part}_{size}_ms_median"]
                # maps are the difference of two times: of small ones, noise can make it negative
                assert math.isfinite(median) if part == "maps" else median > 0  # pyright: ignore
        assert 0 < figures[f"peak_memory_ratio_{size}"] < 10  # pyright: ignore
    wide = [v for k, v in figures.items() if k.startswith("fraction_wide")]
    assert wide
    assert figures["kernel_peak_fraction_min"] == min(wide)  # pyright: ignore
    assert min(wide) > 0  # pyright: ignore
    assert all(isinstance(value, int | float | str) for value in figures.values())


@pytest.mark.parametrize(("rounds", "frames", "message"), [
    (1, None, "--rounds 1 must be 2 or more"),
    (2, "nowhere", "nowhere does not exist"),
])  # fmt: skip
def test_bad_input(rounds: int, frames: str | None, message: str, tmp_path: Path) -> None:
    folders = None if frames is None else [tmp_path / frames]
    with pytest.raises(InputError, match=message):
        benchmark_engine(folders, [1000], 0.05, rounds, "14A")
