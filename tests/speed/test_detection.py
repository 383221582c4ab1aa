"""The benchmark of detection runs on real and on generated images, and its figures fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pointcontrast.errors import InputError
from tools.speed import images
from tools.speed.detection import benchmark_detection
from tools.speed.timing import Figures

SMALL: dict[str, Any] = {
    "num_points": 1500,
    "num_seeds": 64,
    "num_proposals": 16,
    "voxel_size": 0.1,
    "variant": "14A",
    "rounds": 2,
    "steps": 2,
}


def check(figures: Figures) -> None:
    assert all(isinstance(value, (int, float, str)) for value in figures.values())
    assert figures["num_clouds"] == 4
    for name in ("seeds_per_second", "proposals_per_second", "small_speedup_over_loops"):
        assert float(figures[name]) > 0
    assert 0 < float(figures["outside_backbone_share"]) < 1
    parts = [
        float(figures[f"step_{part}_ms_quartile_low"])
        for part in ("backbone_forward", "head_forward", "loss", "head_backward")
    ]
    assert sum(parts) < float(figures["step_ms_quartile_high"])


def test_real_images(real_data: Path) -> None:
    check(benchmark_detection(real_data / "sunrgbd_trainval", **SMALL))


def test_generated_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(images, "SHARED_IMAGES", tmp_path / "none")
    check(benchmark_detection(**SMALL))


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--steps 1"):
        benchmark_detection(**{**SMALL, "steps": 1})
    with pytest.raises(InputError, match="neither the release"):
        benchmark_detection(tmp_path, **SMALL)
