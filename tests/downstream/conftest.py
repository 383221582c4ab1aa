"""Small releases and a small pretrained backbone that the tests of finetuning share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from downstream.finetune_cli import main
from tests.helpers.downstream_small import SMALL
from tests.helpers.repository import REPOSITORY

RECIPES = REPOSITORY / "configs" / "downstream"

Finetune = Callable[..., Path]


@pytest.fixture(scope="session")
def pretrained(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a real pretraining, two steps long, on generated rooms."""
    from pointcontrast.pretrain_cli import main as pretrain

    folder = tmp_path_factory.mktemp("pretrained") / "run"
    status = pretrain([
        "--config", str(REPOSITORY / "configs" / "pretrain" / "rgbd_small.yaml"),
        "--run_dir", str(folder),
        "--data.root", str(prepared),
        "--data.voxel_size", "0.15",
        "--data.num_validation_pairs", "1",
        "--model.backbone.init_args.width", "0.25",
        "--trainer.max_steps", "2",
        "--trainer.log_every_n_steps", "1",
        "--trainer.accelerator", "cpu",
        "--trainer.enable_progress_bar", "false",
        "--picture", "false",
    ])  # fmt: skip
    assert status == 0
    return folder


@pytest.fixture
def finetune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Finetune:
    """Run a recipe of ``configs/downstream`` in this process; returns the run's folder."""
    monkeypatch.chdir(tmp_path)

    def run(recipe: str, root: Path, *arguments: object, folder: str = "run", status: int = 0):
        found = main([
            "--config", str(RECIPES / f"{recipe}.yaml"),
            "--run_dir", folder,
            *SMALL,
            "--data.benchmark.init_args.root", str(root),
            *map(str, arguments),
        ])  # fmt: skip
        assert found == status
        return Path(folder)

    return run


@pytest.fixture(scope="session")
def s3dis_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rooms of area 1 and one of area 5, converted from the raw layout."""
    from downstream.releases.grid import GridSettings
    from downstream.releases.s3dis.rooms import convert_rooms, find_rooms
    from tests.releases.s3dis.release import write_s3dis_release

    folder = tmp_path_factory.mktemp("s3dis")
    write_s3dis_release(folder / "raw", 2, seed=5, areas=(1,), density=150)
    write_s3dis_release(folder / "raw", 1, seed=6, areas=(5,), density=150)
    _, failures = convert_rooms(find_rooms(folder / "raw"), folder / "scenes", GridSettings())
    assert not failures
    return folder / "scenes"
