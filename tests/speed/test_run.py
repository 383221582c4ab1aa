"""The benchmark of a run, small: it measures what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.speed.command import main


def test_figures_of_a_small_run(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.json"
    arguments = ["--num-pairs", "8", "--steps", "4", "--workers", "0", "1", "--variant", "14A"]
    where = ["--root", str(prepared), "--voxel-size", "0.1", "--json", str(path)]
    assert main(["run", *arguments, *where]) == 0
    figures = json.loads(path.read_text())
    assert figures["pairs_per_second_0_workers"] > 0
    assert figures["pairs_per_second_1_workers"] > 0
    step, checkpoint = figures["step_seconds"], figures["checkpoint_seconds"]
    assert step > 0
    # weights and momenta of 14A, full width, in float32
    assert figures["checkpoint_megabytes"] > 10
    assert figures["checkpoint_share"] == pytest.approx(
        checkpoint / (checkpoint + 250 * step), rel=0.05
    )
    assert "checkpoint_share" in capsys.readouterr().out
