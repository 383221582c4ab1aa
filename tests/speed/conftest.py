"""Copies of the checkout, with and without recorded data next to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.repository import REAL_DATA, REPOSITORY

Benchmark = Callable[..., dict[str, Any]]
NUM_FRAMES = 8
"""Frames of the recorded scene."""


def _checkout(folder: Path) -> Path:
    for name in ("pointcontrast", "downstream", "tools", "tests"):
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


@pytest.fixture(scope="session")
def bare_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout alone in its folder."""
    return _checkout(tmp_path_factory.mktemp("bare") / "checkout")


@pytest.fixture(scope="session")
def checkout_with_data(tmp_path_factory: pytest.TempPathFactory, rooms: Path) -> Path:
    """A checkout next to ``shared/data``: real data where this machine has it, else generated."""
    folder = tmp_path_factory.mktemp("recorded")
    kitchen = folder / "shared" / "data" / "redkitchen"
    images = folder / "shared" / "data" / "sunrgbd_trainval"
    kitchen.mkdir(parents=True)
    is_real = REAL_DATA.is_dir()
    recorded = REAL_DATA / "redkitchen" if is_real else rooms / "room_0000"
    depths = sorted(recorded.glob("*.depth.png"))[:NUM_FRAMES]
    frames = [path for depth in depths for path in recorded.glob(depth.name.split(".")[0] + ".*")]
    for path in [*frames, *recorded.glob("camera-intrinsics*")]:
        (kitchen / path.name).symlink_to(path)
    if is_real:
        images.symlink_to(REAL_DATA / "sunrgbd_trainval")
    else:
        from tests.releases.sunrgbd.release import write_sunrgbd_release

        write_sunrgbd_release(images, num_train=3, num_validation=1)
    return _checkout(folder / "checkout")


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """Run ``tools/benchmark.py`` of a checkout as a user does; returns the figures it wrote."""

    def run(checkout: Path, *arguments: object) -> dict[str, Any]:
        path = tmp_path / "figures.json"
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [sys.executable, checkout / "tools" / "benchmark.py", *arguments, "--json", path]
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, cwd=tmp_path, check=False,
            env={**environment, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        figures = json.loads(path.read_text())
        assert done.stdout.endswith(json.dumps(figures, indent=2) + "\n")
        assert all(isinstance(value, int | float | str) for value in figures.values())
        return figures

    return run


@pytest.fixture(scope="session", params=["bare_checkout", "checkout_with_data"])
def checkout(request: pytest.FixtureRequest) -> Path:
    """Each of the two checkouts."""
    return request.getfixturevalue(request.param)
