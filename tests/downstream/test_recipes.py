"""The recipes: the paper's values, and small forms that differ in values alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from downstream.finetune_cli import main
from tests.helpers.repository import REPOSITORY

RECIPES = REPOSITORY / "configs" / "downstream"
NAMES = [
    "scannet", "s3dis", "synthia4d", "synthia4d_clips", "shapenetpart", "shapenet",
    "sunrgbd_detection", "scannet_detection",
]  # fmt: skip


def leaves(value: Any, key: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {
            k: v for name, below in value.items() for k, v in leaves(below, f"{key}.{name}").items()
        }
    return {key: value}


@pytest.mark.parametrize("name", NAMES)
def test_the_small_form_differs_by_numbers_alone(name: str) -> None:
    full, small = (
        leaves(yaml.safe_load((RECIPES / f"{file}.yaml").read_text()))
        for file in (name, f"{name}_small")
    )
    assert list(full) == list(small)
    for key in full:
        if full[key] == small[key]:
            continue
        if key == ".name":
            assert small[key] == f"{full[key]}_small"
        elif key == ".model.backbone.init_args.variant":
            assert small[key] == "14A"  # a number of layers with a letter
        else:
            assert type(full[key]) in (int, float)
            assert type(small[key]) in (int, float)


def printed(name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with pytest.raises(SystemExit) as stopped:
        main(["--config", str(RECIPES / f"{name}.yaml"), "--print_config"])
    assert stopped.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)


SHARED = {
    "model.optimizer.class_path": "torch.optim.SGD",
    "model.optimizer.init_args.momentum": 0.9,
    "model.optimizer.init_args.dampening": 0.1,
    "model.optimizer.init_args.weight_decay": 1e-4,
    "model.backbone.init_args.variant": "34C",
    "model.backbone.init_args.batch_norm_momentum": 0.02,
    "model.backbone.init_args.stem_kernel_size": 3,
    "model.head.class_path": "downstream.heads.LinearHead",
    "model.schedule.class_path": "pointcontrast.runs.schedules.PolynomialDecay",
    "model.schedule.init_args.power": 0.9,
    "model.calibration_batches": 0,
    "data.batch_size": 6,
    "data.features": ["color"],
    "trainer.devices": 8,
    "trainer.max_steps": 60_000,
    "data.augmentation.init_args.elastic_probability": 0.95,
    "data.augmentation.init_args.scale": [0.9, 1.1],
    "data.augmentation.init_args.dropout": 0.2,
    "data.augmentation.init_args.dropout_probability": 0.2,
    "data.augmentation.init_args.flip_probability": 0.95,
    "data.augmentation.init_args.auto_contrast_probability": 0.2,
    "data.augmentation.init_args.color_translation_probability": 0.95,
    "data.augmentation.init_args.color_jitter_probability": 0.95,
}
OWN = {
    "scannet": {
        "model.optimizer.init_args.lr": 0.8,
        "data.voxel_size": 0.02,
        "trainer.val_check_interval": 500,
        "data.augmentation.init_args.elastic": [[0.2, 0.4], [0.8, 1.6]],
        "data.augmentation.init_args.max_tilt": pytest.approx(3.14159265 / 64),
        "data.augmentation.init_args.color_translation": 0.1,
        "data.augmentation.init_args.color_jitter": 0.05,
    },
    "s3dis": {
        "model.optimizer.init_args.lr": 0.1,
        "data.voxel_size": 0.05,
        "trainer.val_check_interval": 200,
        "data.benchmark.init_args.test_area": 5,
        "data.augmentation.init_args.elastic": [],
        "data.augmentation.init_args.max_tilt": pytest.approx(3.14159265 / 32),
        "data.augmentation.init_args.clip": 4.0,
        "data.augmentation.init_args.translation_ratio": [0.2, 0.2, 0.05],
        "data.augmentation.init_args.color_translation": 0.05,
        "data.augmentation.init_args.color_jitter": 0.005,
    },
    "synthia4d": {
        "model.optimizer.init_args.lr": 0.8,
        "data.voxel_size": 0.15,
        "data.augmentation.init_args.max_tilt": 0.0,
        "data.augmentation.init_args.clip": 18.0,
        "data.augmentation.init_args.translation_ratio": [0.1, 0.1, 0.0],
    },
}  # PointContrast downstream/semseg/scripts and lib; SpatioTemporalSegmentation lib/datasets


DETECTION = {
    "model.optimizer.class_path": "torch.optim.Adam",
    "model.optimizer.init_args.lr": 0.001,
    "model.optimizer.init_args.weight_decay": 0.0,
    "model.backbone.init_args.variant": "34C",
    "model.backbone.init_args.batch_norm_momentum": 0.02,
    "model.backbone.init_args.stem_kernel_size": 3,
    "model.head.class_path": "downstream.heads.VoteNet",
    "model.head.init_args.num_seeds": 1024,
    "model.head.init_args.num_proposals": 256,
    "model.head.init_args.radius": 0.3,
    "model.head.init_args.num_samples": 16,
    "model.head.init_args.channels": 256,
    "model.head.init_args.hidden_channels": 128,
    "model.head.init_args.proposal_gradient": 1.0,
    "model.schedule.class_path": "pointcontrast.runs.schedules.StepDecay",
    "model.schedule.init_args.milestones": [80, 120, 160],
    "model.schedule.init_args.gamma": 0.1,
    "model.schedule.init_args.num_epochs": 180,
    "model.batch_norm_momentum.init_args.initial": 0.5,
    "model.batch_norm_momentum.init_args.factor": 0.5,
    "model.batch_norm_momentum.init_args.interval": 20,
    "model.batch_norm_momentum.init_args.lowest": 0.001,
    "model.calibration_batches": 0,
    "data.features": ["ones"],
    "data.voxel_size": 0.025,
    "data.benchmark.init_args.detection.min_score": 0.05,
    "data.benchmark.init_args.detection.suppression": "class",
    "data.benchmark.init_args.detection.suppression_iou": 0.25,
    "data.benchmark.init_args.detection.per_class": True,
    "trainer.devices": 1,
}
OWN_DETECTION = {
    "sunrgbd_detection": {
        "data.benchmark.init_args.num_points": 20_000,
        "data.batch_size": 64,
        "data.augmentation.init_args.flip_probabilities": [0.5, 0.0],
        "data.augmentation.init_args.max_turn": pytest.approx(3.14159265 / 6),
        "data.augmentation.init_args.scale": [0.85, 1.15],
        "trainer.max_steps": 180 * 5285 // 64,
        "trainer.val_check_interval": round(5 * 5285 / 64),
    },
    "scannet_detection": {
        "data.benchmark.init_args.num_points": 40_000,
        "data.batch_size": 32,
        "data.augmentation.init_args.flip_probabilities": [0.5, 0.5],
        "data.augmentation.init_args.max_turn": pytest.approx(3.14159265 / 36),
        "data.augmentation.init_args.scale": [1.0, 1.0],
        "trainer.max_steps": 180 * 1201 // 32 + 1,
        "trainer.val_check_interval": round(5 * 1201 / 32),
    },
}  # PointContrast downstream/votenet_det_new


@pytest.mark.parametrize("name", list(OWN_DETECTION))
def test_the_recipe_of_detection_has_the_papers_values(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {key[1:]: value for key, value in leaves(printed(name, capsys)).items()}
    for key, value in (DETECTION | OWN_DETECTION[name]).items():
        assert found[key] == value, key


@pytest.mark.parametrize("name", list(OWN))
def test_the_recipe_has_the_papers_values(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = {key[1:]: value for key, value in leaves(printed(name, capsys)).items()}
    for key, value in (SHARED | OWN[name]).items():
        assert found[key] == value, key


@pytest.mark.parametrize("name", [n for n in NAMES if n not in OWN and n not in OWN_DETECTION])
def test_every_recipe_prints(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(name, capsys)["name"] == name


def test_every_recipe_has_a_small_form() -> None:
    files = {path.stem for path in Path(RECIPES).glob("*.yaml")} - {"demo", "detection_demo"}
    assert files == {*NAMES, *(f"{name}_small" for name in NAMES)}
