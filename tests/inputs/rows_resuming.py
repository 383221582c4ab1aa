"""Runs that go on under other settings, or with data that mean something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from safetensors import safe_open

from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene, write_labelled_scene
from pointcontrast.runs.checkpoints import FACTS, read_facts
from pointcontrast.runs.folder import read_metrics
from tests.inputs.makers_runs import (
    FINETUNE_SMALL,
    PRETRAIN_SMALL,
    copied,
    finetuned_run,
    labelled_rooms,
    prepared_scenes,
    pretrained_run,
)
from tests.inputs.row import EVALUATE, Row

MORE = "--trainer.max_steps=3"
"""The schedule of ``pretrained_run`` is the same for the two steps done."""
RESUME = ("--ckpt_path", "last")


def _pretrain(folder: Path, *changes: object, root: Path | None = None) -> Sequence[object]:
    """The command of ``pretrained_run`` once more, on a copy of its folder."""
    run = copied(pretrained_run(), folder)
    data = prepared_scenes() if root is None else root
    return [*PRETRAIN_SMALL, "--data.root", data, "--run_dir", run.name, *RESUME, *changes]


def _finetune(folder: Path, *changes: object, root: Path | None = None) -> Sequence[object]:
    run = copied(finetuned_run(), folder)
    data = labelled_rooms() if root is None else root
    return [
        *FINETUNE_SMALL, "--data.benchmark.init_args.root", data, "--run_dir", run.name,
        *RESUME, *changes,
    ]  # fmt: skip


def _rewritten(folder: Path, change: Callable[[LabelledScene], LabelledScene]) -> Path:
    """The labelled rooms with each scene changed, in ``folder / "scenes"``."""
    for room in sorted(labelled_rooms().iterdir()):
        write_labelled_scene(folder / "scenes" / room.name, change(read_labelled_scene(room)))
    return folder / "scenes"


def _other_order(scene: LabelledScene) -> LabelledScene:
    """The same scene, whose file lists its classes the other way round."""
    assert scene.semantic is not None
    rows = len(scene.class_names) - 1 - scene.semantic
    return replace(scene, class_names=scene.class_names[::-1], semantic=rows.astype(np.int32))


def _another_class(scene: LabelledScene) -> LabelledScene:
    return replace(scene, class_names=(*scene.class_names, "robot"))


def _relabelled(scene: LabelledScene) -> LabelledScene:
    """The same scene, in which what was unlabelled or a class is now another."""
    assert scene.semantic is not None
    return replace(scene, semantic=np.where(scene.semantic == 0, -1, scene.semantic))


def _with_another_order(folder: Path, *changes: object) -> Sequence[object]:
    return _changed_in_place(folder, _other_order, *changes)


def _changed_in_place(
    folder: Path, change: Callable[[LabelledScene], LabelledScene], *changes: object
) -> Sequence[object]:
    root = _rewritten(folder, change)
    command = _finetune(folder, *changes, root=root)
    key = "data.benchmark.init_args.root"
    _say_it_was_trained_on(root, folder / "finetuned" / "last.ckpt", key)
    return command


def _evaluate_another_order(folder: Path) -> Sequence[object]:
    return [EVALUATE, finetuned_run(), "--root", _rewritten(folder, _other_order),
            "--output", "scores"]  # fmt: skip


def _from_a_finetuned_network(folder: Path) -> Sequence[object]:
    """Its backbone is taken, and its head, which knows another order, is not."""
    scenes = _rewritten(folder, _other_order)
    return [*FINETUNE_SMALL, "--data.benchmark.init_args.root", scenes, "--run_dir", "new",
            "--model.weights", finetuned_run()]  # fmt: skip


def _head_is_new(folder: Path, said: str) -> None:
    report = json.loads((folder / "new" / "initialization.json").read_text())
    assert set(report["dropped"]) == {"head.linear.weight", "head.linear.bias"}
    with safe_open(folder / "new" / "best.safetensors", framework="pt") as file:
        names = json.loads(file.metadata()["benchmark"])["class_names"]
    assert names == ["table", "wall", "floor", "ceiling"]


def _same_weights(folder: Path, said: str) -> None:
    """The run's networks are as they were."""
    for name in ("best", "last"):
        path = folder / "finetuned" / f"{name}.safetensors"
        assert path.read_bytes() == (finetuned_run() / path.name).read_bytes()


def _same_backbone(folder: Path, said: str) -> None:
    run = folder / "pretrained"
    for name in ("backbone.safetensors", "backbone.md", "last.ckpt", "config.yaml"):
        assert (run / name).read_bytes() == (pretrained_run() / name).read_bytes(), name


def _same_backbone_files(folder: Path, said: str) -> None:
    run = folder / "pretrained"
    for name in ("backbone.safetensors", "backbone.md", "config.yaml"):
        assert (run / name).read_bytes() == (pretrained_run() / name).read_bytes(), name


def _card_tells(folder: Path, said: str) -> None:
    card = (folder / "pretrained" / "backbone.md").read_text()
    assert "These weights are a mixture" in card
    assert "| 2 | data.voxel_size | 0.2 | 0.25 |" in card
    (change,) = read_facts(folder / "pretrained" / "last.ckpt").changes
    assert change == {"key": "data.voxel_size", "was": 0.2, "now": 0.25, "step": 2}


def _the_new_rate_is_taken(folder: Path, said: str) -> None:
    """In the third of 50 steps of warm-up, the rate is 3 / 50 of the new one."""
    rates = {
        line["step"]: line["train/learning_rate"]
        for line in read_metrics(folder / "pretrained")
        if "train/learning_rate" in line
    }
    assert rates[1] == pytest.approx(0.002 * 2 / 50)
    assert rates[2] == pytest.approx(0.5 * 3 / 50)


def _three_steps(folder: Path, said: str) -> None:
    facts = read_facts(folder / "pretrained" / "last.ckpt")
    assert facts.step == 3
    assert facts.changes == []


def _moved(folder: Path, *changes: object) -> Sequence[object]:
    return _pretrain(folder, *changes, root=copied(prepared_scenes(), folder))


def _pairs_prepared_anew(folder: Path, *changes: object) -> Sequence[object]:
    """The folder of the run's data, with a pair less than when the run began."""
    root = copied(prepared_scenes(), folder)
    table = parquet.read_table(root / "pairs.parquet")
    parquet.write_table(table.slice(1), root / "pairs.parquet")
    command = _pretrain(folder, MORE, *changes, root=root)
    _say_it_was_trained_on(root, folder / "pretrained" / "last.ckpt", "data.root")
    return command


def _say_it_was_trained_on(root: Path, path: Path, key: str) -> None:
    """Let a copied checkpoint name the copied data as its own, as if they had changed in place."""
    checkpoint = torch.load(path, weights_only=True)
    checkpoint[FACTS]["settings"][key] = str(root)
    torch.save(checkpoint, path)


def _other_demo(folder: Path) -> Sequence[object]:
    """Weights of one run go on in another folder, with another voxel size and fewer steps."""
    return [
        *PRETRAIN_SMALL, "--data.root", prepared_scenes(), "--run_dir", "other",
        "--ckpt_path", pretrained_run() / "last.ckpt", "--data.voxel_size=0.08",
        "--trainer.max_steps=1",
    ]  # fmt: skip


def _older_checkpoint(folder: Path) -> Sequence[object]:
    """A checkpoint of before settings were stored: config.yaml beside it has them."""
    command = _pretrain(folder, "--data.voxel_size=0.25")
    path = folder / "pretrained" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    del checkpoint[FACTS]["settings"], checkpoint[FACTS]["changes"]
    torch.save(checkpoint, path)
    return command


def _refused(name: str, change: str, *says: str) -> Row:
    return Row(
        name=f"resume-under-another-{name}",
        kind="L",
        make=lambda folder: _pretrain(folder, *change.split()),
        status=2,
        says=says,
        check=_same_backbone,
    )


ROWS = [
    _refused("voxel-size", f"{MORE} --data.voxel_size=0.25", "data.voxel_size 0.2, here 0.25",
             "was trained with other settings", "--allow-changed data.voxel_size"),
    _refused("rotation", f"{MORE} --data.rotation=none", "data.rotation vertical, here none"),
    _refused("seed", f"{MORE} --seed_everything=5", "settings: seed_everything 0, here 5; give"),
    _refused("learning-rate", f"{MORE} --model.optimizer.init_args.lr=0.5",
             "model.optimizer.init_args.lr 0.002, here 0.5"),
    _refused("batch-size", f"{MORE} --data.batch_size=3", "data.batch_size 2, here 3; give"),
    _refused("gradient-accumulation", f"{MORE} --trainer.accumulate_grad_batches=2",
             "trainer.accumulate_grad_batches 1, here 2"),
    _refused("temperature", f"{MORE} --model.loss.init_args.temperature=0.5",
             "model.loss.init_args.temperature 0.1, here 0.5"),
    _refused("loss", f"{MORE} --model.loss=pointcontrast.losses.HardestContrastive",
             "is of another network or optimiser", "model.loss.class_path"),
    _refused("backbone", f"{MORE} --model.backbone.init_args.width=0.25",
             "is of another network or optimiser", "width 0.125, here 0.25"),
    _refused("input", f"{MORE} --data.features=[ones]", "data.features ['color'], here ['ones']"),
    _refused("held-out-part", f"{MORE} --data.holdout=scenes", "data.holdout views, here scenes"),
    _refused("two-settings-of-which-one-is-allowed",
             f"{MORE} --data.rotation=none --seed_everything=5 --allow-changed data.rotation",
             "settings: seed_everything 0, here 5; give",
             "--allow-changed data.rotation seed_everything"),
    _refused("setting-that-is-misspelt", f"{MORE} --allow-changed data.voxel_sise",
             "--allow-changed data.voxel_sise is no setting", "data.voxel_size meant?"),
    Row(
        name="resume-with-another-data-root",
        kind="L",
        make=lambda folder: _moved(folder, MORE),
        status=2,
        says=("settings: data.root ", "--allow-changed data.root"),
        check=_same_backbone,
    ),
    Row(
        name="resume-with-another-data-root-allowed",
        kind="L",
        make=lambda folder: _moved(folder, MORE, "--allow-changed", "data.root"),
        says=("changed after step 2: data.root was", "resuming from pretrained/last.ckpt"),
    ),
    Row(
        name="resume-after-the-data-changed-in-place",
        kind="L",
        make=_pairs_prepared_anew,
        status=2,
        says=("data.contents.training_pairs", "--allow-changed data.contents.training_pairs"),
        check=_same_backbone_files,
    ),
    Row(
        name="resume-under-another-voxel-size-allowed",
        kind="L",
        make=lambda folder: _pretrain(
            folder, MORE, "--data.voxel_size=0.25", "--allow-changed", "data.voxel_size"
        ),
        says=("changed after step 2: data.voxel_size was 0.2, is 0.25",),
        check=_card_tells,
    ),
    Row(
        name="resume-under-another-learning-rate-allowed",
        kind="L",
        make=lambda folder: _pretrain(
            folder, MORE, "--model.optimizer.init_args.lr=0.5", "--allow-changed",
            "model.optimizer",
        ),
        says=("changed after step 2: model.optimizer.init_args.lr was 0.002, is 0.5",),
        check=_the_new_rate_is_taken,
        source="Lightning-AI/pytorch-lightning issue 12118",
    ),
    Row(
        name="allow-changed-without-a-checkpoint",
        kind="L",
        make=lambda folder: [
            *PRETRAIN_SMALL, "--data.root", prepared_scenes(), "--run_dir", "new",
            "--allow-changed", "data.root",
        ],
        status=2,
        says=("--allow-changed is for a run that goes on; give --ckpt_path",),
        absent=("new",),
    ),
    Row(
        name="resume-with-what-does-not-matter-changed",
        kind="L",
        make=lambda folder: _pretrain(
            folder, MORE, "--trainer.log_every_n_steps=2", "--checkpoint_every=1",
            "--trainer.val_check_interval=7", "--name=other",
        ),
        says=("trainer.max_steps is 3, was 2: the steps done are the same under both",),
        check=_three_steps,
    ),
    Row(
        name="resume-a-finished-run",
        kind="L",
        make=_pretrain,
        says=("nothing to do: the 2 steps of the run in pretrained are done",),
        check=_same_backbone,
    ),
    Row(
        name="resume-with-fewer-steps-than-are-done",
        kind="L",
        make=lambda folder: _pretrain(folder, "--trainer.max_steps=1"),
        says=("nothing to do: pretrained/last.ckpt is at step 2, past trainer.max_steps 1",),
        check=_same_backbone,
    ),
    Row(
        name="weights-of-one-run-under-the-settings-of-another",
        kind="L",
        make=_other_demo,
        status=2,
        says=("data.voxel_size 0.2, here 0.08",),
        absent=("other",),
    ),
    Row(
        name="resume-a-checkpoint-of-before-settings-were-stored",
        kind="L",
        make=_older_checkpoint,
        status=2,
        says=("data.voxel_size 0.2, here 0.25",),
    ),
    Row(
        name="resume-a-finetuning-whose-schedule-depends-on-its-length",
        kind="L",
        make=lambda folder: _finetune(folder, "--trainer.max_steps=4"),
        status=2,
        says=("trainer.max_steps 2, here 4", "--allow-changed trainer.max_steps"),
        check=_same_weights,
    ),
    Row(
        name="resume-a-finished-finetuning",
        kind="L",
        make=_finetune,
        says=("nothing to do: the 2 steps of the run in finetuned are done",),
        check=_same_weights,
    ),
    Row(
        name="resume-with-the-classes-in-another-order",
        kind="F",
        make=_with_another_order,
        status=2,
        says=("is of a network for another task", "here ['table', 'wall', 'floor', 'ceiling']",
              "start a new run from its weights"),
        check=_same_weights,
    ),
    Row(
        name="resume-with-the-classes-in-another-order-allowed",
        kind="F",
        make=lambda folder: _with_another_order(
            folder, "--allow-changed", "data.task", "data.contents"
        ),
        status=2,
        says=("is of a network for another task",),
        check=_same_weights,
    ),
    Row(
        name="resume-with-another-number-of-classes",
        kind="F",
        make=lambda folder: _changed_in_place(folder, _another_class),
        status=2,
        says=("robot", "data.task.num_outputs 4, here 5"),
        check=_same_weights,
    ),
    Row(
        name="resume-with-other-points-ignored",
        kind="F",
        make=lambda folder: _changed_in_place(folder, _relabelled),
        status=2,
        says=("data.contents.training_clouds 1 (", "--allow-changed data.contents"),
        check=_same_weights,
    ),
    Row(
        name="resume-with-another-benchmark",
        kind="F",
        make=lambda folder: _finetune(
            folder, "--data.benchmark=downstream.benchmarks.S3DIS",
            "--data.benchmark.init_args.root", str(labelled_rooms()),
        ),
        status=2,
        says=("data.benchmark.class_path downstream.benchmarks.LabelledScenes, here",),
        check=_same_weights,
    ),
    Row(
        name="evaluate-with-the-classes-in-another-order",
        kind="F",
        make=_evaluate_another_order,
        status=2,
        says=("ceiling, floor, wall, table, the data has table, wall, floor, ceiling",
              "write the labels in the network's order"),
        absent=("scores",),
    ),
    Row(
        name="finetune-from-a-network-of-another-order",
        kind="F",
        make=_from_a_finetuned_network,
        says=("not loaded: head.linear.bias, head.linear.weight",),
        check=_head_is_new,
    ),
]  # fmt: skip
