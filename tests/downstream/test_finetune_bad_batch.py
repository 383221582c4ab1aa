"""Finetuning too ends at the first number that is not finite, and shows it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from downstream.types import LabelledBatch
from pointcontrast.runs.bad_batch import read_bad_batch
from pointcontrast.runs.folder import read_metrics

COARSE = ("--data.voxel_size", "0.2")
SAVED = "run/bad_batch_step_000002.pt"


def test_a_saved_batch_of_clouds_gives_the_same_loss(
    finetune: Any, s3dis_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    whole = finetune("s3dis_small", s3dis_scenes, *COARSE, folder="whole")
    expected = [m["train/loss"] for m in read_metrics(whole) if "train/loss" in m][2]
    real = torch.isfinite

    def isfinite(value: torch.Tensor) -> torch.Tensor:
        return real(value) & (value != torch.tensor(expected)) if value.ndim == 0 else real(value)

    with monkeypatch.context() as patch:
        patch.setattr("pointcontrast.runs.finite_guard.torch.isfinite", isfinite)
        finetune("s3dis_small", s3dis_scenes, *COARSE, "--checkpoint_every", "1", status=1)
    said = capsys.readouterr().err
    assert f"the loss is {expected} at step 2 on Area_1/" in said
    bad = read_bad_batch(tmp_path / SAVED, LabelledBatch)
    assert all(name in said for name in bad.batch.names)
    finetune("s3dis_small", s3dis_scenes, *COARSE, "--reproduce", SAVED)
    assert f"now: loss {expected!r}, gradients not finite: none" in capsys.readouterr().out
