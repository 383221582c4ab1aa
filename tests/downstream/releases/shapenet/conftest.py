"""One small ShapeNetCore release for all tests here; do not write to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.releases.shapenet.release import write_shapenet_release

SEED = 2
COUNTS = {"03797390": 6, "04379243": 13, "02954340": 4}  # mugs, tables, few caps


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """v2, in all styles of OBJ."""
    root = tmp_path_factory.mktemp("shapenet")
    write_shapenet_release(root, seed=SEED, counts=COUNTS)
    return root


@pytest.fixture
def copied(release: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    shutil.copytree(release, tmp_path / "release")
    return tmp_path / "release"
