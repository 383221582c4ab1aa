"""One small ScanNet release for all tests here; do not write to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from downstream.releases.scannet.release import LABEL_MAP
from tests.releases.scannet.release import write_scannet_release

SEED = 5


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans with labels and one without, no .sens files."""
    root = tmp_path_factory.mktemp("scannet")
    write_scannet_release(root, 2, 0, SEED, num_test_scans=1, longest_edge=0.8)
    return root


@pytest.fixture
def copied(release: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Function that copies a scan and the label map, to be damaged; returns the folder."""

    def copy(name: str = "scene0000_00") -> Path:
        target = tmp_path / "release"
        scan = target / "scans" / name
        shutil.copytree(release / "scans" / "scene0000_00", scan)
        for path in scan.iterdir():
            path.rename(scan / path.name.replace("scene0000_00", name))
        shutil.copy(release / LABEL_MAP, target)
        return scan

    return copy
