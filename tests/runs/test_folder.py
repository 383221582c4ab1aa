from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from pointcontrast.errors import InputError
from pointcontrast.runs.folder import (
    JsonLinesLogger,
    choose_run_folder,
    describe_run,
    read_metrics,
)
from pointcontrast.runs.report import compare_runs, draw_curves, format_scores


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_new_runs_get_folders_of_their_own() -> None:
    folder, checkpoint = choose_run_folder("kitchen", None, None)
    assert folder.parent == Path("runs/kitchen")
    assert checkpoint is None
    assert choose_run_folder("kitchen", "here", None) == (Path("here"), None)


def write(path: str, step: int, age: float = 0) -> Path:
    """A whole checkpoint, of some seconds ago."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    torch.save({"global_step": step, "state_dict": {}}, path)
    os.utime(path, (1e9 - age, 1e9 - age))
    return Path(path)


def test_last_is_the_newest_of_that_name() -> None:
    for name, age in (("a", 100), ("b", 0), ("c", 50)):
        write(f"runs/kitchen/{name}/last.ckpt", 1, age)
    Path("runs/kitchen/d").mkdir()
    Path("runs/kitchen/d/run.json").touch()  # begun later, and ended before its first checkpoint
    for word in ("last", "auto"):
        assert choose_run_folder("kitchen", None, word) == (
            Path("runs/kitchen/b"),
            Path("runs/kitchen/b/last.ckpt"),
        )
    named = choose_run_folder("kitchen", "runs/kitchen/c", "last")
    assert named == (Path("runs/kitchen/c"), Path("runs/kitchen/c/last.ckpt"))
    assert choose_run_folder("kitchen", None, "runs/kitchen/a/last.ckpt")[0].name == "a"


def test_a_damaged_checkpoint_is_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    last, previous = write("run/last.ckpt", 20), write("run/previous.ckpt", 10)
    os.truncate(last, 300)
    assert choose_run_folder("any", "run", "last") == (Path("run"), previous)
    said = capsys.readouterr().err
    assert "run/last.ckpt is cut short or damaged" in said
    assert "resuming from run/previous.ckpt instead, which holds step 10" in said
    with pytest.raises(InputError, match=r"give --ckpt_path run/previous\.ckpt") as raised:
        choose_run_folder("any", "run", "run/last.ckpt")
    assert "step 10" in str(raised.value)
    last.unlink()  # a kill between the two renames
    assert choose_run_folder("any", "run", "last")[1] == previous
    previous.write_bytes(b"")
    with pytest.raises(InputError, match=r"no whole checkpoint is left in run: .*is empty"):
        choose_run_folder("any", "run", "last")


def test_a_run_without_a_checkpoint_begins_again(capsys: pytest.CaptureFixture[str]) -> None:
    JsonLinesLogger(Path("run")).log_metrics({"loss": 1.0}, 0)
    Path("run/run.json").touch()
    for word in ("last", "auto"):
        assert choose_run_folder("any", "run", word) == (Path("run"), None)
        assert "starts again" in capsys.readouterr().out
    assert choose_run_folder("any", "new", "auto") == (Path("new"), None)
    assert choose_run_folder("any", None, "auto")[0].parent == Path("runs/any")


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
    logger.log_metrics({"validation/rank": 1.0}, 2)  # written after the checkpoint of step 3
    logger.forget_from(3)
    logger.log_metrics({"loss": 9.0}, 3)
    assert read_metrics(Path("run")) == [
        {"step": 0, "loss": 0.0},
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 1.0},
        {"step": 3, "loss": 9.0},
    ]


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
    assert "inlier ratio     " in table
    assert "inlier ratio (0.16 m) " in format_scores(before, after | {"inlier_distance": 0.16})
    assert "note:" not in format_scores(before, after | {"num_candidates": 1000})
    few = format_scores(before, after | {"num_candidates": 12.4})
    assert "note: top-1 match accuracy is among 12 candidates" in few
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
