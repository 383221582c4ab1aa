"""Fixtures of many tests: real data where present, small prepared scenes, a small configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests.helpers.repository import REAL_DATA, REPOSITORY
from tests.helpers.small_run import CONFIG

TESTS = REPOSITORY / "tests"


LONG = (
    "speed", "runs", "synthetic", "inputs",
    "data/pair_readers/test_three_sources.py", "data/test_worker_processes.py",
    "downstream/metrics/test_detection.py", "downstream/releases/scannet/test_command.py",
    "downstream/releases/scannet/test_pairs_at_scale.py",
    "downstream/releases/sunrgbd/test_sunrgbd.py", "downstream/releases/synthia4d",
    "downstream/test_end_to_end.py", "downstream/test_finetune.py",
    "downstream/test_finetune_bad_batch.py", "downstream/test_finetune_kills.py",
    "downstream/test_finetune_ranks.py", "downstream/test_gradients.py",
    "downstream/label_lists/test_commands.py", "downstream/test_overfit.py",
    "downstream/test_weights_by_address.py", "losses/test_gathering.py",
    "preparation/test_cluster.py", "scenes/test_overlap.py", "sparse/test_bfloat16.py",
    "sparse/test_determinism.py", "sparse/test_get_engine.py", "sparse/test_kernel_maps.py",
    "sparse/test_kernel_switch.py", "sparse/test_kernels.py", "sparse/test_operators.py",
    "test_contributing.py", "test_pretrain.py", "test_readme.py",
    "weights/test_architecture.py", "weights/test_convert_cli.py", "weights/test_model_card.py",
    "backbones", "data/pair_readers/test_scene_crops.py", "data/test_module.py",
    "downstream/metrics/test_confusion.py", "downstream/metrics/test_confusion_picture.py",
    "downstream/predictions/test_box_picture.py", "downstream/releases/s3dis/test_rooms.py",
    "downstream/test_network_file.py", "downstream/test_predict.py",
    "downstream/releases/s3dis/test_generated_release.py",
    "downstream/releases/scannet/test_generated_release.py",
    "preparation/test_prepare.py", "preparation/test_verify.py", "recordings/reconstruction",
    "recordings/rgbd/test_real_frames_in_tables.py",
    "scenes/test_store_of_real_frames.py", "scenes/test_view_store.py", "test_pretrain_plain.py",
)  # fmt: skip
"""Folders and files with tests that take seconds: they train, start processes or render rooms.

Chosen from ``pytest --durations``: a file belongs here if its tests of more than two seconds add up
to more than four. ``make check`` leaves them out (``--fast``); ``make test`` runs them.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out the files that take long")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if config.getoption("--fast") and collection_path.is_relative_to(TESTS):
        path = collection_path.relative_to(TESTS)
        if any(path.is_relative_to(long) for long in LONG):
            return True
    return None


def pytest_configure() -> None:
    # Several test processes share the cores; more threads than cores slow all of them down.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scenes next to the checkout."""
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
