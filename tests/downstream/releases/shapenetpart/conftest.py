"""One small ShapeNetPart release for all tests here; do not write to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.releases.shapenetpart.release import write_shapenetpart_release

SEED, NUM_SHAPES, NUM_POINTS = 3, 4, 150
MUG, TABLE = "03797390", "04379243"


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mugs and tables."""
    root = tmp_path_factory.mktemp("shapenetpart")
    write_shapenetpart_release(root, NUM_SHAPES, SEED, num_points=NUM_POINTS, synsets=(MUG, TABLE))
    return root


@pytest.fixture
def copied(release: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    shutil.copytree(release, tmp_path / "release")
    return tmp_path / "release"
