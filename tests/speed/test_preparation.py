"""The benchmark of preparation runs on generated rooms."""

from pathlib import Path

import pytest

from tools.speed import voxelized_views
from tools.speed.preparation import benchmark_preparation


def test_all_views_are_prepared_twice(rooms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voxelized_views, "SHARED_SCANS", rooms)
    figures = benchmark_preparation(None, num_scans=2, num_workers=2)
    assert figures["num_views"] == 20
    assert 1000 < float(figures["bytes_a_view"]) < 100_000
    assert "views_a_second_2_processes" in figures
