"""A generated release to training pairs with two processes, one of which is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from pointcontrast.scenes.pairs import read_pairs
from tests.helpers.cluster_runs import ENVIRONMENT, contents, kill_a_worker_at_work
from tests.helpers.repository import REPOSITORY
from tests.releases.scannet.release import write_scannet_release

SCRIPT = REPOSITORY / "datasets" / "scannet.py"


def command(release: Path, output: Path, num_workers: int) -> list[str]:
    words = ["pairs", release, "--output", output, "--frame-skip", 1, "--num-workers", num_workers]
    return [sys.executable, str(SCRIPT), *map(str, words)]


@pytest.mark.parametrize("num_scans", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_worker_and_damaged_scans_change_no_byte(tmp_path: Path, num_scans: int) -> None:
    release = tmp_path / "release"
    scans = [f"scene{number:04d}_00" for number in range(num_scans)]
    truncated, other_version = scans[1], scans[3]
    damaged = {truncated: "truncated_sens", other_version: "sens_version"}
    write_scannet_release(release, num_scans, damaged=damaged)
    alone = subprocess.run(
        command(release, tmp_path / "one", 1), env=ENVIRONMENT, capture_output=True, text=True
    )
    run = subprocess.Popen(
        command(release, tmp_path / "two", 2),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killed = kill_a_worker_at_work(run, tmp_path / "two")
    printed, errors = run.communicate(timeout=600)
    assert killed
    for status, told in ((alone.returncode, alone.stderr), (run.returncode, errors)):
        assert status == 1
        reported = [line for line in told.splitlines() if line.startswith("error: ")]
        assert [line.split(": ")[1] for line in reported] == [truncated, other_version]
        assert "cut short" in reported[0]
        assert "version 3" in reported[1]
    assert f"found {num_scans} of the 1513 scans of trainval" in printed
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    pairs = read_pairs(tmp_path / "two" / "pairs.parquet")
    # the frames before the cut are used
    assert {pair.scene for pair in pairs} == set(scans) - {other_version}
