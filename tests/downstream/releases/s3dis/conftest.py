"""A small S3DIS release for all tests here, and rooms to damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.releases.s3dis.release import write_s3dis_release

SEED, DENSITY = 3, 30.0


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One room in each of areas 1 and 5; do not write to it."""
    folder = tmp_path_factory.mktemp("s3dis")
    write_s3dis_release(folder, 1, SEED, areas=(1, 5), density=DENSITY)
    return folder


@pytest.fixture
def room(release: Path, tmp_path: Path) -> Path:
    """A copy of a room that a test may damage."""
    copy = tmp_path / "raw" / "Area_5" / "office_1"
    shutil.copytree(release / "Area_5" / "office_1", copy)
    return copy


@pytest.fixture
def ceiling(room: Path) -> Path:
    """Annotation file of the ceiling of ``room``."""
    return room / "Annotations" / "ceiling_1.txt"


@pytest.fixture
def real_room(real_data: Path) -> Path:
    """A crop of a room of the real release."""
    return real_data / "s3dis_raw" / "Area_5" / "crop_1"
