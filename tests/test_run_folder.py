from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from pointcontrast.errors import InputError
from pointcontrast.report import compare_runs, draw_curves, format_scores
from pointcontrast.run_folder import (
    JsonLinesLogger,
    checkpoint_step,
    choose_run_folder,
    describe_run,
    read_metrics,
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_new_runs_get_folders_of_their_own() -> None:
    folder, checkpoint = choose_run_folder("kitchen", None, None)
    assert folder.parent == Path("runs/kitchen")
    assert checkpoint is None
    assert choose_run_folder("kitchen", "here", None) == (Path("here"), None)


def test_last_is_the_newest_of_that_name() -> None:
    for name, age in (("a", 100), ("b", 0), ("c", 50)):
        path = Path("runs/kitchen") / name / "last.ckpt"
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    assert choose_run_folder("kitchen", None, "last") == (
        Path("runs/kitchen/b"),
        Path("runs/kitchen/b/last.ckpt"),
    )
    named = choose_run_folder("kitchen", "runs/kitchen/c", "last")
    assert named == (Path("runs/kitchen/c"), Path("runs/kitchen/c/last.ckpt"))
    assert choose_run_folder("kitchen", None, "runs/kitchen/a/last.ckpt")[0].name == "a"


def test_wrong_folders_are_named() -> None:
    with pytest.raises(InputError, match=r"last\.ckpt in runs/office"):
        choose_run_folder("office", None, "last")
    with pytest.raises(InputError, match=r"gone\.ckpt does not exist"):
        choose_run_folder("office", None, "gone.ckpt")
    JsonLinesLogger(Path("old")).log_metrics({"loss": 1.0}, 0)
    with pytest.raises(InputError, match="old holds a run already"):
        choose_run_folder("office", "old", None)


def test_metrics_survive_a_kill_and_a_resume(capsys: pytest.CaptureFixture[str]) -> None:
    logger = JsonLinesLogger(Path("run"))
    for step in range(5):
        logger.log_metrics({"loss": step / 2, "epoch": 0}, step)
    with open("run/metrics.jsonl", "a") as file:
        file.write('{"step": 5, "lo')
    assert [line["step"] for line in read_metrics(Path("run"))] == [0, 1, 2, 3, 4]
    assert "not JSON" in capsys.readouterr().err
    logger.forget_from(3)
    logger.log_metrics({"loss": 9.0}, 3)
    assert read_metrics(Path("run")) == [
        {"step": 0, "loss": 0.0},
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 1.0},
        {"step": 3, "loss": 9.0},
    ]


def test_damaged_checkpoints_are_named() -> None:
    Path("broken.ckpt").write_bytes(b"PK\x03\x04 half of it")
    with pytest.raises(InputError, match=r"broken\.ckpt"):
        checkpoint_step(Path("broken.ckpt"))
    torch.save({"global_step": 12}, "good.ckpt")
    assert checkpoint_step(Path("good.ckpt")) == 12


def test_a_run_is_described() -> None:
    facts = describe_run(3, ["--config", "x.yaml"])
    assert facts["seed"] == 3
    assert facts["command"] == ["--config", "x.yaml"]
    assert facts["packages"]["torch"].split(".") > ["2"]
    assert {"commit", "modified", "version", "platform"} <= facts.keys()


def test_report_gives_ratios_and_curves() -> None:
    names = ("top1_accuracy", "feature_match_recall", "inlier_ratio", "positive_similarity",
             "negative_similarity", "effective_rank")  # fmt: skip
    before = dict.fromkeys(names, 0.01)
    after = dict.fromkeys(names, 0.15)
    table = format_scores(before, after)
    assert "15.0x" in table.splitlines()[1]
    assert "no held-out pairs" in format_scores({}, {})
    metrics = [{"step": s, "train/loss": 3.0 - s, "validation/top1_accuracy": s} for s in range(3)]
    draw_curves(Path("curves.png"), {"kitchen": metrics})
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")


def test_runs_are_compared_in_one_picture() -> None:
    for name in ("a", "b"):
        JsonLinesLogger(Path(name)).log_metrics({"train/loss": 1.0}, 0)
    assert compare_runs([Path("a"), Path("b")], Path("both.png")) == [Path("both.png")]
    assert Path("both.png").stat().st_size > 1000
    with pytest.raises(InputError, match="nothing holds no"):
        compare_runs([Path("a"), Path("nothing")], Path("x.png"))
    with pytest.raises(InputError, match="one name"):
        compare_runs([Path("a"), Path("a")], Path("x.png"))
