"""Every head overfits a few clouds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from downstream.evaluate_cli import main as evaluate
from downstream.releases.shapenet.shapes import SamplingSettings
from downstream.releases.shapenet.shapes import convert_release as convert_shapenet
from downstream.releases.shapenetpart.shapes import convert_release as convert_shapenetpart
from downstream.releases.sunrgbd.images import ImageSettings, convert_images, find_images
from downstream.shapes.splits import read_splits, write_splits
from tests.releases.shapenet.release import write_shapenet_release
from tests.releases.shapenetpart.release import write_shapenetpart_release

OVERFIT = [
    "--data.augmentation", "null",
    "--model.optimizer", "torch.optim.AdamW",
    "--model.optimizer.init_args.lr", "0.006",
    "--model.optimizer.init_args.weight_decay", "0.0",
    "--trainer.max_steps", "100",
    "--trainer.val_check_interval", "100",
]  # fmt: skip


def training_scores(folder: Path) -> dict[str, Any]:
    """The figures of the clouds that the run was trained on."""
    assert evaluate([str(folder), "--split", "train", "--output", "training"]) == 0
    return json.loads(Path("training/train/scores.json").read_text())


@pytest.mark.parametrize("head", ["LinearHead", "HierarchicalHead"])
def test_rooms(finetune: Any, s3dis_scenes: Path, head: str) -> None:
    folder = finetune(
        "s3dis_small", s3dis_scenes, *OVERFIT, "--model.head", f"downstream.heads.{head}",
        "--data.voxel_size", "0.3",
    )  # fmt: skip
    scores = training_scores(folder)
    assert scores["num_clouds"] == 2
    assert scores["voxel"]["overall_accuracy"] >= 0.99


def train_on(root: Path, names: list[str]) -> None:
    """Leave these shapes alone in the training split, so that they are what is scored."""
    splits = read_splits(root)
    write_splits(root, {**splits, "train": names})


SHAPES = [
    "--data.voxel_size", "0.08",
    "--model.backbone.init_args.batch_norm_momentum", "0.1",
]  # fmt: skip


def test_parts(finetune: Any, tmp_path: Path) -> None:
    write_shapenetpart_release(tmp_path / "raw", 6, synsets=("03001627", "04379243"))
    convert_shapenetpart(tmp_path / "raw", tmp_path / "shapes")
    chairs = [n for n in read_splits(tmp_path / "shapes")["train"] if n.startswith("03001627")]
    train_on(tmp_path / "shapes", chairs[:2])
    folder = finetune("shapenetpart_small", tmp_path / "shapes", *OVERFIT, *SHAPES)
    scores = training_scores(folder)
    assert scores["num_clouds"] == 2
    assert scores["voxel"]["instance_mean_iou"] >= 0.99  # and so of the voxels


@pytest.mark.parametrize("level", ["encoder", "decoder"])
def test_classes(finetune: Any, tmp_path: Path, level: str) -> None:
    write_shapenet_release(tmp_path / "raw", 4)
    settings = SamplingSettings(num_points=600)
    convert_shapenet(tmp_path / "raw", tmp_path / "shapes", settings)
    names = read_splits(tmp_path / "shapes")["train"]
    folders = sorted({name.partition("/")[0] for name in names})
    train_on(tmp_path / "shapes", [next(n for n in names if n.startswith(f)) for f in folders[:2]])
    folder = finetune(
        "shapenet_small", tmp_path / "shapes", *OVERFIT, *SHAPES,
        "--model.head.init_args.level", level,
    )  # fmt: skip
    scores = training_scores(folder)
    assert scores["num_clouds"] == 2
    assert scores["cloud"]["overall_accuracy"] == 1


@pytest.fixture
def real_boxes(real_data: Path, tmp_path: Path) -> Path:
    """The four real images as scenes, all of them to train on and to validate."""
    images, *_ = find_images(real_data / "sunrgbd_trainval", "v1")
    convert_images(images, tmp_path / "scenes", ImageSettings())
    names = (tmp_path / "scenes" / "validation.txt").read_text()
    (tmp_path / "scenes" / "train.txt").write_text(names)
    return tmp_path / "scenes"


BOXES = [
    "--model.optimizer.init_args.lr", "0.003",
    "--model.backbone.init_args.width", "0.5",
    "--model.head.init_args.num_proposals", "256",
    "--model.calibration_batches", "4",
    "--data.batch_size", "4",
]  # fmt: skip


def test_boxes_of_the_real_images_in_few_steps(finetune: Any, real_boxes: Path) -> None:
    steps = ["--trainer.max_steps", "150", "--trainer.val_check_interval", "150"]
    folder = finetune("sunrgbd_detection_small", real_boxes, *OVERFIT, *BOXES, *steps)
    scores = training_scores(folder)
    assert scores["num_clouds"] == 4
    assert scores["box"]["mean_ap_25"] >= 0.5


@pytest.mark.slow
def test_boxes_of_the_real_images(finetune: Any, real_boxes: Path) -> None:
    steps = ["--trainer.max_steps", "600", "--trainer.val_check_interval", "100"]
    size = ["--data.voxel_size", "0.05"]
    folder = finetune("sunrgbd_detection_small", real_boxes, *OVERFIT, *BOXES, *steps, *size)
    scores = training_scores(folder)
    assert scores["num_clouds"] == 4
    assert scores["box"]["mean_ap_25"] >= 0.9
