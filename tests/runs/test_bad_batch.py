"""A run that meets a NaN ends before its weights do, and its batch gives the same loss again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pointcontrast.errors import InputError
from pointcontrast.losses import LossOutput, PointInfoNCE
from pointcontrast.pretrain import PointContrast
from pointcontrast.pretrain_cli import main
from pointcontrast.runs.bad_batch import BadBatch, not_finite, read_bad_batch, write_bad_batch
from pointcontrast.runs.checkpoints import read_facts
from pointcontrast.runs.folder import read_metrics
from pointcontrast.types import PairBatch

SAVED = Path("run/bad_batch_step_000005.pt")


class OverflowsAtStep5(nn.Module):
    """PointInfoNCE, but its sixth loss is infinite, or has a gradient that is not a number."""

    def __init__(self, what: str = "loss") -> None:
        super().__init__()
        self.what = what
        self.inner = PointInfoNCE(temperature=0.1, num_positives=256)
        self.calls = 0

    def forward(
        self, features0, features1, correspondences, generator, *, offsets0=None, offsets1=None
    ) -> LossOutput:
        output = self.inner(features0, features1, correspondences, generator)
        self.calls += 1
        if self.calls != 6:
            return output
        if self.what == "loss":
            return LossOutput(output.loss * 1e38 * 1e38, output.terms)
        zero = (features0[:, 0] * 0).sum()
        return LossOutput(output.loss + torch.sqrt(zero), output.terms)  # d sqrt / d 0


def run(config: Path, *arguments: str) -> int:
    given = ["--config", str(config), "--run_dir", "run", "--data.holdout_fraction=0"]
    return main([*given, *arguments])


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_the_run_ends_at_the_step_and_saves_its_batch(
    config: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loss = (f"--model.loss={__name__}.OverflowsAtStep5", f"--model.loss.what={what}")
    assert run(config, *loss) == 1
    said = capsys.readouterr().err
    problem = "the loss is inf" if what == "loss" else "the gradient of backbone."
    assert problem in said
    assert "at step 5 on " in said
    assert "(views " in said
    assert f"--reproduce {SAVED}" in said
    assert "run keeps its checkpoint" in said
    assert read_facts(Path("run/last.ckpt")).step == 4
    weights = torch.load("run/last.ckpt", weights_only=True)["state_dict"]
    assert not not_finite(weights)
    bad = read_bad_batch(SAVED, PairBatch)
    assert len(bad.batch.pairs) == 2
    assert bad.key == (5, 5, 0)
    assert not not_finite(bad.state_dict)
    assert all(name in said for name in bad.batch.names)
    assert len([m for m in read_metrics(Path("run")) if "train/loss" in m]) == 5


def test_a_saved_batch_gives_the_same_loss(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The guard is made to fire at a loss that is finite, so that there is a number to compare."""
    assert run(config) == 0
    expected = [m["train/loss"] for m in read_metrics(Path("run")) if "train/loss" in m][5]
    Path("run").rename("whole")
    real = torch.isfinite

    def isfinite(value: torch.Tensor) -> torch.Tensor:
        return real(value) & (value != torch.tensor(expected)) if value.ndim == 0 else real(value)

    monkeypatch.setattr("pointcontrast.runs.finite_guard.torch.isfinite", isfinite)
    assert run(config) == 1
    monkeypatch.undo()
    monkeypatch.chdir(config.parent)
    assert f"the loss is {expected}" in capsys.readouterr().err
    assert main(["--config", "run/config.yaml", "--reproduce", str(SAVED)]) == 0
    said = capsys.readouterr().out
    assert f"now: loss {expected!r}, gradients not finite: none" in said
    before = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")}
    # what one would try next: another setting on the same batch
    assert run(config, "--reproduce", str(SAVED), "--model.loss.temperature=0.4") == 0
    assert f"now: loss {expected!r}" not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")} == before
    assert run(config, "--reproduce", str(SAVED), "--model.backbone.width=0.5") == 2
    assert "init_args.width 0.25, here 0.5" in capsys.readouterr().err


def test_infinite_input_is_seen_again(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "pointcontrast.data.network_input.add_noise", lambda features, *_: features * math.inf
    )
    assert run(config) == 1
    monkeypatch.undo()
    monkeypatch.chdir(config.parent)
    assert "the loss is nan at step 0" in capsys.readouterr().err
    assert not Path("run/last.ckpt").exists()
    assert run(config, "--reproduce", "run/bad_batch_step_000000.pt") == 0
    said = capsys.readouterr().out
    assert "now: loss nan, gradients not finite: ['backbone." in said


def test_weights_that_are_not_finite_are_never_saved(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An optimiser that goes wild: gradients were finite, the weights are not."""
    step = PointContrast.on_train_batch_end

    def go_wild(self: PointContrast, *arguments: Any) -> None:
        if self.global_step == 4:
            next(self.parameters()).data.fill_(math.nan)
        step(self, *arguments)

    monkeypatch.setattr(PointContrast, "on_train_batch_end", go_wild)
    assert run(config) == 1
    assert "is not finite after step 4: nothing is saved" in capsys.readouterr().err
    assert read_facts(Path("run/last.ckpt")).step == 2


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of it"])
def test_files_that_are_no_saved_batch(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"b\.pt is not a batch that this command saved"):
        read_bad_batch(tmp_path / "b.pt", PairBatch)
    with pytest.raises(InputError, match="does not exist"):
        read_bad_batch(tmp_path / "none.pt", PairBatch)
    bad = BadBatch(batch=(), key=(1, 1, 0), seed=0, loss=1.0, state_dict={}, architecture={})
    write_bad_batch(tmp_path / "c.pt", bad)
    with pytest.raises(InputError, match=r"c\.pt"):
        read_bad_batch(tmp_path / "c.pt", PairBatch)
