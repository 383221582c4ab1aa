"""Class paths of older configurations, and the defaults of another optimiser or schedule."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from downstream.finetune_cli import main as finetune
from pointcontrast.pretrain_cli import main as pretrain
from pointcontrast.runs.class_paths import MOVED, current_path
from tests.helpers.repository import REPOSITORY

PRETRAIN = REPOSITORY / "configs" / "pretrain"
DOWNSTREAM = REPOSITORY / "configs" / "downstream"
ADAMW = "torch.optim.AdamW"


def parsed(main: Any, capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    with pytest.raises(SystemExit) as stopped:
        main([*map(str, arguments), "--print_config"])
    assert stopped.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize("option", ["--model.optimizer", "--model.optimizer.class_path"])
@pytest.mark.parametrize(
    ("main", "recipe"),
    [
        (pretrain, PRETRAIN / "scannet_infonce.yaml"),  # the default optimiser
        (pretrain, PRETRAIN / "scannet_hardest.yaml"),  # one of the configuration's
        (finetune, DOWNSTREAM / "s3dis.yaml"),
    ],
)
def test_another_optimizer_has_its_own_defaults(
    main: Any, recipe: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    optimizer = parsed(main, capsys, "--config", recipe, option, ADAMW)["model"]["optimizer"]
    assert optimizer["class_path"] == ADAMW
    assert optimizer["init_args"]["lr"] == 0.001
    assert optimizer["init_args"]["weight_decay"] == 0.01
    more = ("--model.optimizer.lr", "0.02")
    optimizer = parsed(main, capsys, "--config", recipe, option, ADAMW, *more)["model"]["optimizer"]
    assert optimizer["init_args"]["lr"] == 0.02
    assert optimizer["init_args"]["weight_decay"] == 0.01


def test_a_second_configuration_takes_the_defaults_of_what_it_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = tmp_path / "second.yaml"
    decay = "pointcontrast.runs.schedules.StepDecay"
    second.write_text(yaml.safe_dump({
        "model": {
            "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"eps": 1e-6}},
            "schedule": {"class_path": decay},
        }
    }))  # fmt: skip
    first = ("--config", PRETRAIN / "demo.yaml",
             "--model.schedule", "pointcontrast.runs.schedules.StepwiseExponential")  # fmt: skip
    model = parsed(pretrain, capsys, *first, "--config", second)["model"]
    adam = model["optimizer"]["init_args"]
    assert (adam["lr"], adam["eps"], adam["weight_decay"]) == (0.001, 1e-6, 0)
    assert model["schedule"]["init_args"]["gamma"] == 0.1


def test_the_same_optimizer_keeps_what_was_stated(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--config", PRETRAIN / "demo.yaml", "--model.optimizer", ADAMW,
                 "--model.optimizer.weight_decay", "0.5")  # fmt: skip
    init_args = parsed(pretrain, capsys, *arguments)["model"]["optimizer"]["init_args"]
    assert (init_args["lr"], init_args["weight_decay"]) == (0.002, 0.5)


def test_another_loss_keeps_what_both_know(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--config", PRETRAIN / "demo.yaml", "--model.loss.normalize", "true",
                 "--model.loss", "pointcontrast.losses.HardestContrastive")  # fmt: skip
    loss = parsed(pretrain, capsys, *arguments)["model"]["loss"]
    assert loss["init_args"]["normalize"] is True
    assert "temperature" not in loss["init_args"]


OLD = {
    "pointcontrast.schedules.WarmupCosine": "pointcontrast.runs.schedules.WarmupCosine",
    "pointcontrast.sources.SyntheticRooms": "pointcontrast.preparation.sources.SyntheticRooms",
    "pointcontrast.pair_readers.scene_crops.SceneCrops":
        "pointcontrast.data.pair_readers.SceneCrops",
    "pointcontrast.losses.point_info_nce.PointInfoNCE": "pointcontrast.losses.PointInfoNCE",
    "downstream.detection.augmentation.BoxAugmentation": "downstream.augmentation.BoxAugmentation",
}  # fmt: skip


def test_every_new_place_holds_the_class() -> None:
    for old, new in OLD.items():
        assert current_path(old) == new
        module, _, name = new.rpartition(".")
        assert hasattr(importlib.import_module(module), name)
    assert {module for old in OLD for module in MOVED if old.startswith(module)} >= {*MOVED} - {
        "pointcontrast.losses.hardest_contrastive"
    }
    for path in ("pointcontrast.schedules_of_mine.Mine", "torch.optim.AdamW", "my.schedules.A"):
        assert current_path(path) == path


def test_a_configuration_with_old_paths_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (PRETRAIN / "demo.yaml").read_text()
    old = text.replace("pointcontrast.runs.schedules", "pointcontrast.schedules").replace(
        "pointcontrast.preparation.sources", "pointcontrast.sources"
    )
    assert old != text
    config = tmp_path / "old.yaml"
    config.write_text(old)
    expected = parsed(pretrain, capsys, "--config", PRETRAIN / "demo.yaml")
    with pytest.raises(SystemExit):
        pretrain(["--config", str(config), "--print_config"])
    said = capsys.readouterr()
    assert yaml.safe_load(said.out) == expected
    moved = [line for line in said.err.splitlines() if "has moved" in line]
    assert sorted(moved) == sorted(set(moved))
    for name in ("schedules.WarmupCosine", "sources.SyntheticRooms"):
        assert any(f"pointcontrast.{name} has moved" in line for line in moved)


def test_an_old_path_on_the_command_line_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    path = "pointcontrast.schedules.StepDecay"
    for given in (["--model.schedule", path], [f"--model.schedule.class_path={path}"]):
        resolved = parsed(pretrain, capsys, "--config", PRETRAIN / "demo.yaml", *given)
        schedule = resolved["model"]["schedule"]
        assert schedule["class_path"] == "pointcontrast.runs.schedules.StepDecay"
        assert schedule["init_args"]["gamma"] == 0.1
