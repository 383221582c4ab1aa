"""The benchmark of a batch in passes, small: it measures what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.repository import REPOSITORY
from tests.oracles.engines import engine_or_skip
from tools.speed.command import main


def test_figures_of_a_small_batch(prepared: Path, tmp_path: Path) -> None:
    """As a user runs it: the processes that it starts find what it found."""
    engine_or_skip("minkowski")
    path = tmp_path / "passes.json"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [
            sys.executable, REPOSITORY / "tools" / "benchmark.py", "passes", "--root", prepared,
            "--num-pairs", "2", "--pairs-a-pass", "1", "--voxel-size", "0.2", "--rounds", "2",
            "--variant", "14A", "--json", path,
        ],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(path.read_text())
    for engine in ("native", "minkowski"):
        for way in ("whole", "passes", "parts"):
            assert figures[f"{engine}_{way}_ms_median"] > 0
            assert figures[f"{engine}_{way}_peak_mb"] > 0
        assert figures[f"{engine}_passes_time_ratio"] > 0
        assert figures[f"{engine}_passes_memory_ratio"] == pytest.approx(
            figures[f"{engine}_passes_peak_mb"] / figures[f"{engine}_whole_peak_mb"], rel=0.1
        )


@pytest.mark.parametrize(("arguments", "message"), [
    (["--rounds", "1"], "--rounds 1 must be 2 or more"),
    (["--pairs-a-pass", "9"], "--pairs-a-pass 9 must be in 1..8"),
    (["--num-pairs", "100000"], "too few for --num-pairs 100000"),
])  # fmt: skip
def test_bad_input(arguments: list[str], message: str, prepared: Path, capsys: Any) -> None:
    assert main(["passes", "--root", str(prepared), "--engines", "native", *arguments]) != 0
    assert message in capsys.readouterr().err
