"""Whole runs of several real processes: what they train on, what they log, how they disagree."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointcontrast.data.module import PairDataModule
from pointcontrast.pretrain_cli import main
from pointcontrast.runs.checkpoints import read_facts
from pointcontrast.runs.folder import read_metrics
from tests.helpers.fork_server import output_of
from tests.helpers.gloo import by_hand, ended, start
from tests.helpers.repository import REPOSITORY
from tests.helpers.small_run import CONFIG

TOOL = REPOSITORY / "tools" / "pretrain.py"
RECORDED = REPOSITORY / "tests" / "helpers" / "recorded_pretraining.py"


@pytest.fixture
def config(tmp_path: Path, prepared: Path) -> Path:
    """A small configuration on the generated rooms."""
    value: dict[str, Any] = {**CONFIG, "data": {**CONFIG["data"], "root": str(prepared)}}
    value["trainer"] = {**CONFIG["trainer"], "strategy": "ddp", "val_check_interval": 1000}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(value))
    return path


def training_pairs(root: Path) -> set[tuple]:
    data = PairDataModule(str(root), features=["color"], num_workers=0)
    data.setup("fit")
    return {(p.scene, p.view0, p.view1) for p in data.train_dataset.pairs}


def validation(folder: Path) -> list[dict[str, float]]:
    return [m for m in read_metrics(folder) if "validation/top1_accuracy" in m]


def test_four_processes_with_uneven_data(
    config: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rank 3 has no pair to validate, and rank 2 a batch without a pair in step 1."""
    epoch = training_pairs(prepared)
    num_steps = len(epoch) // 12 + 2
    assert len(epoch) % 12
    common = ["--config", config, "--data.batch_size=3", "--data.num_validation_pairs=3",
              "--model.loss.gather_negatives=true", f"--trainer.max_steps={num_steps}"]  # fmt: skip
    (tmp_path / "record").mkdir()
    run = start(
        [RECORDED, *common, "--trainer.devices=4"], tmp_path,
        RECORD=str(tmp_path / "record"), EMPTY="[2, 1]",
    )  # fmt: skip
    (said,) = ended([run])
    assert run.returncode == 0, said
    assert said.count("scoring held-out pairs before training") == 1

    lines = [
        json.loads(line)
        for rank in range(4)
        for line in (tmp_path / "record" / f"{rank}.jsonl").read_text().splitlines()
    ]
    assert Counter(line["rank"] for line in lines) == dict.fromkeys(range(4), num_steps)
    lines.sort(key=lambda line: (line["step"], line["rank"]))
    served = [tuple(pair) for line in lines for pair in line["pairs"]]
    assert len(served) == 12 * num_steps
    assert sorted(served[: len(epoch)]) == sorted(epoch)
    assert len(set(served[len(epoch) :])) == len(served) - len(epoch)

    (folder,) = (tmp_path / "runs" / "small").iterdir()  # ranks start in different seconds
    assert (folder / "backbone.safetensors").exists()
    monkeypatch.chdir(tmp_path)
    alone = ["--run_dir=alone", "--trainer.max_steps=1", "--trainer.strategy=auto"]
    assert main([*map(str, common), *alone]) == 0
    (first, _), (expected, _) = validation(folder), validation(tmp_path / "alone")
    assert first["step"] == expected["step"] == 0
    scored = {k for k in expected if k.startswith("validation/")}
    assert len(scored) == 8  # with the inlier distance
    assert {k: first[k] for k in scored} == {k: expected[k] for k in scored}


def test_two_nodes_started_apart_share_a_folder(config: Path, tmp_path: Path) -> None:
    """With cached passes; the total batch is shared among them."""
    command = [TOOL, "--config", config, "--data.total_batch_size=6", "--model.pairs_a_pass=2",
               "--trainer.num_nodes=2", "--trainer.devices=1", "--trainer.max_steps=2",
               "--data.holdout_fraction=0"]  # fmt: skip
    processes = by_hand([command, command], tmp_path, delay=1.5)
    said = ended(processes)
    assert [process.returncode for process in processes] == [0, 0], said
    assert "backbone.safetensors" in said[0]
    assert "safetensors" not in said[1]
    (folder,) = (tmp_path / "runs" / "small").iterdir()
    assert len([m for m in read_metrics(folder) if "train/loss" in m]) == 2


def test_the_batch_of_a_resumed_run_is_that_of_all_processes(config: Path, tmp_path: Path) -> None:
    """One process's run goes on with two only where both together have its batch."""
    run = ["--config", str(config), "--run_dir", str(tmp_path / "run"),
           "--data.holdout_fraction=0"]  # fmt: skip
    # in a process of its own: Lightning leaves LOCAL_RANK in the environment
    output_of([TOOL, *run, "--trainer.max_steps=2"], tmp_path)
    more = [TOOL, *run, "--trainer.max_steps=3", "--ckpt_path=last", "--trainer.devices=1",
            "--trainer.num_nodes=2"]  # fmt: skip
    for said in refused(by_hand([more, more], tmp_path)):
        assert "data.samples_per_step 2, here 4" in said
    halves = [*more, "--data.batch_size=1"]
    processes = by_hand([halves, halves], tmp_path)
    said = ended(processes)
    assert [process.returncode for process in processes] == [0, 0], said
    assert read_facts(tmp_path / "run" / "last.ckpt").changes == []


def refused(processes: list) -> list[str]:
    """What ranks say that all end with status 2, long before a group's own half hour is over."""
    said = ended(processes)
    assert [process.returncode for process in processes] == [2] * len(processes), said
    assert all("Traceback" not in words for words in said), said
    return said


TWO = ["--trainer.num_nodes=2", "--trainer.devices=1"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--data.batch_size=3"], "data.batch_size is 3 on rank 1 and 2 on rank 0"),
        (["--data.root=nowhere"], "rank 1: data.root nowhere"),
        (["--data.match_radius=-1"], "rank 1: data.match_radius -1"),
        (["--data.colour=true"], "rank 1: its arguments are wrong"),
    ],
)
def test_a_rank_that_differs_ends_all(
    config: Path, tmp_path: Path, more: list[str], told: str
) -> None:
    command = [TOOL, "--config", config, *TWO]
    said = refused(by_hand([command, [*command, *more]], tmp_path))
    assert told in said[0]
    assert told in said[1] or "colour" in said[1]
    assert not (tmp_path / "runs").exists()


def test_a_rank_with_other_data_ends_all(config: Path, tmp_path: Path, prepared: Path) -> None:
    """The same command on two nodes whose disks do not hold the same."""
    for node in (0, 1):
        (tmp_path / str(node)).mkdir()
        shutil.copytree(prepared, tmp_path / str(node) / "rooms")
    fewer = tmp_path / "1" / "rooms"
    keep_some_pairs(fewer)
    command = [TOOL, "--config", config, *TWO, "--data.root=rooms"]
    said = refused(by_hand([command, command], tmp_path, folders=["0", "1"]))
    for words in said:
        assert "ranks do not run the same: data.contents." in words
        assert "on rank 1 and" in words
        assert "the same data" in words


def keep_some_pairs(root: Path) -> None:
    import pyarrow.parquet as parquet

    (path,) = root.glob("*.parquet")
    table = parquet.read_table(path)
    parquet.write_table(table.slice(0, len(table) - 4), path)


def test_a_batch_that_processes_do_not_divide(config: Path, tmp_path: Path) -> None:
    """Under torchrun, whose processes start one by one."""
    command = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", TOOL,
               "--config", config, "--trainer.devices=2", "--data.total_batch_size=5"]  # fmt: skip
    run = start(command, tmp_path)
    (said,) = ended([run])
    assert run.returncode != 0
    assert "data.total_batch_size 5 is not divisible by the 2 processes" in said


def test_torchrun_trains(config: Path, tmp_path: Path) -> None:
    command = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", TOOL,
               "--config", config, "--trainer.devices=2", "--trainer.max_steps=2",
               "--model.loss=pointcontrast.losses.HardestContrastive",
               "--model.loss.gather_negatives=true",
               "--model.backbone.init_args.checkpoint_activations=true"]  # fmt: skip
    run = start(command, tmp_path)
    (said,) = ended([run])
    assert run.returncode == 0, said
    (folder,) = (tmp_path / "runs" / "small").iterdir()
    assert len(validation(folder)) == 2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--trainer.sync_batchnorm=true"], "trainer.sync_batchnorm needs GPUs"),
        (
            ["--trainer.sync_batchnorm=true", "--model.pairs_a_pass=1"],
            "model.pairs_a_pass and trainer.sync_batchnorm exclude each other",
        ),
        (["--data.total_batch_size=3"], "data.total_batch_size 3 is not divisible by the 2"),
        (["--trainer.strategy=ddp_spawn"], "trainer.strategy must be one that starts each process"),
        (["--model.pairs_a_pass=0"], "model.pairs_a_pass 0 must be at least 1"),
    ],
)
def test_what_several_processes_cannot_do_is_refused_before_they_start(
    config: Path, tmp_path: Path, more: list[str], told: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["--config", str(config), "--trainer.devices=2", *more]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    assert "torch.distributed" in sys.modules


def test_accumulated_parts_are_told_of(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    arguments = ["--trainer.accumulate_grad_batches=2", "--trainer.max_steps=1",
                 "--trainer.strategy=auto"]  # fmt: skip
    assert main(["--config", str(config), *arguments]) == 0
    said = capsys.readouterr().out
    assert said.count("each of the 2 parts of a step has its own negatives only") == 1
    assert "model.pairs_a_pass" in said
