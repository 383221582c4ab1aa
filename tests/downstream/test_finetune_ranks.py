"""Finetuning on two real processes: the figures are those of one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from downstream.benchmarks import S3DIS
from downstream.data import FinetuneDataModule
from pointcontrast.errors import InputError
from pointcontrast.runs.folder import read_metrics
from tests.helpers.converters import convert
from tests.helpers.downstream_small import SMALL
from tests.helpers.gloo import ended, start
from tests.helpers.repository import REPOSITORY
from tests.releases.shapenet.release import write_shapenet_release
from tests.releases.shapenetpart.release import write_shapenetpart_release
from tests.releases.sunrgbd.release import write_sunrgbd_release

STILL = ("--model.optimizer.lr", "0", "--trainer.max_steps", "2", "--data.batch_size", "2")
"""The weights stay: they would differ, for two processes train on twice as much a step."""
DETECTION = ("--data.voxel_size", "0.15", "--model.head.init_args.num_seeds", "64",
             "--model.head.init_args.num_proposals", "16")  # fmt: skip


def shapes(folder: Path, write: Any, script: str, *more: object) -> Path:
    write(folder / "raw", 6)
    convert(script, "shapes", folder / "raw", "--output", folder / "shapes", *more)
    return folder / "shapes"


def images(folder: Path) -> Path:
    write_sunrgbd_release(folder / "raw", 2, 3, size=(96, 72))
    convert("sunrgbd.py", "scenes", folder / "raw", "--output", folder / "scenes")
    return folder / "scenes"


@pytest.mark.parametrize(
    "task",
    [
        "segmentation",
        pytest.param("parts", marks=pytest.mark.slow),
        pytest.param("classification", marks=pytest.mark.slow),
        "detection",
    ],
)
def test_figures_do_not_depend_on_the_number_of_processes(
    task: str, finetune: Any, s3dis_scenes: Path, tmp_path: Path
) -> None:
    """Segmentation has one cloud to validate: the second process has none."""
    if task == "segmentation":
        recipe, root, more = "s3dis_small", s3dis_scenes, ("--data.voxel_size", "0.2")
    elif task == "parts":
        root = shapes(tmp_path, write_shapenetpart_release, "shapenetpart.py")
        recipe, more = "shapenetpart_small", ("--data.voxel_size", "0.1")
    elif task == "classification":
        root = shapes(tmp_path, write_shapenet_release, "shapenet.py", "--num-points", 500)
        recipe, more = "shapenet_small", ("--data.voxel_size", "0.1")
    else:
        recipe, root, more = "sunrgbd_detection_small", images(tmp_path), DETECTION
    alone = finetune(recipe, root, *more, *STILL, folder="alone")
    command = [
        REPOSITORY / "tools" / "finetune.py",
        "--config", REPOSITORY / "configs" / "downstream" / f"{recipe}.yaml",
        "--run_dir", "together", *SMALL, "--data.benchmark.init_args.root", root, *more, *STILL,
        "--trainer.devices", "2", "--trainer.strategy", "ddp",
    ]  # fmt: skip
    run = start(command, tmp_path)
    (said,) = ended([run])
    assert run.returncode == 0, said
    together = tmp_path / "together"
    one, two = (
        [{k: v for k, v in line.items() if k.startswith("validation/")} for line in lines]
        for lines in map(read_metrics, (alone, together))
    )
    assert [line for line in two if line] == [line for line in one if line]
    assert any(one)
    scores = [json.loads((folder / "scores.json").read_text()) for folder in (alone, together)]
    assert scores[0] == scores[1]
    assert said.count("training on") == 1


@pytest.mark.parametrize(("num_ranks", "num_workers"), [(1, 0), (2, 0), (3, 0), (4, 0), (2, 2)])
def test_ranks_share_an_epoch_of_clouds(
    num_ranks: int, num_workers: int, s3dis_scenes: Path
) -> None:
    """Two training rooms: with three ranks and more, a step is more than an epoch."""
    served, scored = [], []
    for rank in range(num_ranks):
        data = FinetuneDataModule(
            S3DIS(str(s3dis_scenes)), batch_size=1, num_workers=num_workers, voxel_size=0.3
        )
        data.setup("fit")
        data.trainer = SimpleNamespace(  # pyright: ignore
            accumulate_grad_batches=1, max_steps=3, global_step=0,
            global_rank=rank, world_size=num_ranks,
        )  # fmt: skip
        served.append([batch.names for batch in data.train_dataloader()])
        scored.append([batch for batch in data.val_dataloader()])
    stream = [name for step in zip(*served, strict=True) for names in step for name in names]
    names = data.train_dataset.names
    assert len(stream) == 3 * num_ranks
    for start_of_epoch in range(0, len(stream) - len(names) + 1, len(names)):
        assert sorted(stream[start_of_epoch : start_of_epoch + len(names)]) == sorted(names)
    assert {len(batches) for batches in scored} == {1}  # an empty one where there is no cloud
    found = Counter(n for batches in scored for b in batches if b is not None for n in b.names)
    assert found == Counter(data.validation_dataset.names)


def test_a_total_is_divided_among_processes(s3dis_scenes: Path) -> None:
    data = FinetuneDataModule(S3DIS(str(s3dis_scenes)), total_batch_size=6)
    for num_ranks, size in ((1, 6), (2, 3), (3, 2), (6, 1)):
        data.trainer = SimpleNamespace(world_size=num_ranks)  # pyright: ignore
        assert data.samples_per_rank == size
    data.trainer = SimpleNamespace(world_size=4)  # pyright: ignore
    with pytest.raises(InputError, match="total_batch_size 6 is not divisible by the 4 processes"):
        _ = data.samples_per_rank
    with pytest.raises(InputError, match=r"data.total_batch_size 0 must be at least 1"):
        FinetuneDataModule(S3DIS(str(s3dis_scenes)), total_batch_size=0)
