"""What many tests share: real data where it is there, one small prepared scene, one small run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests.helpers.repository import REAL_DATA
from tests.helpers.small_run import CONFIG


def pytest_configure() -> None:
    # Several test processes share the cores; more threads than cores slow all of them down.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scenes beside the checkout."""
    if not REAL_DATA.is_dir():
        pytest.skip("the research-licensed real scenes are not on this machine")
    return REAL_DATA


@pytest.fixture(scope="session")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two generated rooms as raw posed RGB-D folders; do not write to them."""
    from pointcontrast.synthetic.source import write_rooms

    root = tmp_path_factory.mktemp("raw")
    write_rooms(root, num_rooms=2, num_frames=10, seed=7, width=160, height=120, progress=False)
    return root


@pytest.fixture(scope="session")
def prepared(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated rooms, prepared; do not write to it."""
    from pointcontrast.preparation.prepare import prepare

    root = tmp_path_factory.mktemp("prepared")
    summary = prepare([rooms], root)
    assert not summary.failures
    return root


@pytest.fixture
def prepared_copy(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared rooms that a test may damage."""
    return Path(shutil.copytree(prepared, tmp_path / "prepared"))


@pytest.fixture
def config(tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small configuration on the generated rooms; the working folder is a fresh one."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    value = {**CONFIG, "data": {**CONFIG["data"], "root": str(prepared)}}
    path.write_text(yaml.safe_dump(value))
    return path
