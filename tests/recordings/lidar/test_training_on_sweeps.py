"""Slow: 100 steps of training on one drive in every layout of sweeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.recordings.lidar.nuscenes import write_sweep_folders
from tests.helpers.fork_server import output_of
from tests.inputs.makers_runs import PRETRAIN_SMALL
from tests.inputs.row import PREPARE
from tests.recordings.lidar.release_writers import write_kitti360, write_nuscenes
from tests.recordings.lidar.ros_writers import write_bag
from tests.recordings.makers_sweeps import street_sweeps, write_kitti, write_sweep_folder


def _nuscenes(folder: Path, sweeps: list) -> None:
    write_nuscenes(folder / "nuscenes", {"scene-0061": sweeps})
    write_sweep_folders(folder / "nuscenes", folder / "scene")


WRITERS: dict[str, Callable[[Path, list], object]] = {
    "kitti": lambda folder, sweeps: write_kitti(folder / "scene", sweeps),
    "sweep_folder": lambda folder, sweeps: write_sweep_folder(folder / "scene", sweeps, width=6),
    "kitti360": lambda folder, sweeps: write_kitti360(folder / "scene", sweeps),
    "nuscenes": _nuscenes,
    "ros1": lambda folder, sweeps: write_bag(_made(folder) / "drive.bag", sweeps, "bag"),
    "ros2": lambda folder, sweeps: write_bag(_made(folder) / "drive", sweeps, "db3", "tree"),
    "mcap": lambda folder, sweeps: write_bag(_made(folder) / "drive", sweeps, "mcap"),
}


def _made(folder: Path) -> Path:
    (folder / "scene").mkdir()
    return folder / "scene"


@pytest.mark.slow
@pytest.mark.parametrize("layout", WRITERS)
def test_training_on_a_layout(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path, street_sweeps(8))
    output_of(
        [PREPARE, "scene", "--output", "prepared", "--overlap-voxel-size", "1"], tmp_path
    )  # fmt: skip
    assert "nothing broken" in output_of([PREPARE, "verify", "prepared"], tmp_path)
    output_of(
        [*PRETRAIN_SMALL, "--data.root", "prepared", "--run_dir", "run",
         "--data.features", "[ones]", "--data.voxel_size", "0.5", "--trainer.max_steps", "100"],
        tmp_path,
    )  # fmt: skip
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    losses = [row["train/loss"] for row in rows if "train/loss" in row]
    assert len(losses) == 100
    assert np.isfinite(losses).all()
    assert np.mean(losses[-20:]) < np.mean(losses[:20])
