"""Slow: 100 steps of training on one room in every layout of posed depth images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.fork_server import output_of
from tests.inputs.makers_rgbd import (
    PREPARE_SMALL,
    walking_frames,
    write_image_folder,
    write_sens_folder,
    write_seven_scenes,
)
from tests.inputs.makers_runs import PRETRAIN_SMALL
from tests.inputs.row import PREPARE
from tests.inputs.rows_rgbd_formats import FORMATS
from tests.recordings.rgbd.writers import tables

WRITERS = {
    "seven_scenes": write_seven_scenes,
    "image_folder": write_image_folder,
    "sens": write_sens_folder,
    **FORMATS,
    **tables.WRITERS,
}


@pytest.mark.slow
@pytest.mark.parametrize("layout", WRITERS)
def test_training_on_a_layout(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path / "scene", walking_frames(8, step=0.1))
    output_of([PREPARE, "scene", "--output", "prepared", *PREPARE_SMALL], tmp_path)
    assert "nothing broken" in output_of([PREPARE, "verify", "prepared"], tmp_path)
    output_of(
        [*PRETRAIN_SMALL, "--data.root", "prepared", "--run_dir", "run",
         "--trainer.max_steps", "100"],
        tmp_path,
    )  # fmt: skip
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    losses = [row["train/loss"] for row in rows if "train/loss" in row]
    assert len(losses) == 100
    assert np.isfinite(losses).all()
    assert np.mean(losses[-20:]) < np.mean(losses[:20])
