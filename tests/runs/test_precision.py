"""Training in bfloat16: near float32, scored in float32, refused where the engine cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pointcontrast.backbones import Res16UNet
from pointcontrast.compiled.library import BFLOAT16_SWITCH
from pointcontrast.errors import InputError
from pointcontrast.losses import HardestContrastive, LossOutput, PointInfoNCE
from pointcontrast.pretrain_cli import main
from pointcontrast.retrieval import score_pair
from pointcontrast.runs.folder import read_metrics
from pointcontrast.runs.precision import check_precision
from pointcontrast.sparse import get_engine, normalize


def curve(config: Path, precision: str) -> list[float]:
    arguments = ["--config", str(config), "--run_dir", precision, "--trainer.precision", precision,
                 "--trainer.max_steps=25", "--trainer.val_check_interval=25",
                 "--checkpoint_every=25", "--model.optimizer=torch.optim.AdamW",
                 "--model.optimizer.lr=0.003"]  # fmt: skip
    assert main(arguments) == 0
    return [m["train/loss"] for m in read_metrics(Path(precision)) if "train/loss" in m]


def test_a_run_in_bfloat16_follows_float32(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BFLOAT16_SWITCH, "emulate")  # as a processor that has such products
    full, rounded = curve(config, "32-true"), curve(config, "bf16-mixed")
    assert rounded != full
    np.testing.assert_allclose(rounded[:3], full[:3], rtol=0.02)
    assert np.mean(full[-10:]) < np.mean(full[:5]) - 0.4
    assert np.mean(rounded[-10:]) == pytest.approx(np.mean(full[-10:]), abs=0.15)
    weights = torch.load("bf16-mixed/last.ckpt", weights_only=True)["state_dict"]
    assert {w.dtype for w in weights.values() if w.is_floating_point()} == {torch.float32}


def some_features() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    features = [
        nn.functional.normalize(torch.randn(400, 16, generator=generator), dim=1) for _ in range(2)
    ]
    rows = torch.arange(400)
    return *features, torch.stack([rows, rows], dim=1)


@pytest.mark.parametrize("loss", [PointInfoNCE(temperature=0.1), HardestContrastive()])
def test_losses_under_autocast_are_those_of_float32(loss: nn.Module) -> None:
    def compute() -> LossOutput:
        features0, features1, matches = some_features()
        generator = torch.Generator().manual_seed(1)
        offsets = (0, 200, 400)
        return loss(features0, features1, matches, generator, offsets0=offsets, offsets1=offsets)

    full = compute()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = compute()
    assert mixed.loss.dtype == torch.float32
    assert torch.equal(mixed.loss, full.loss)


def test_scores_under_autocast_are_those_of_float32() -> None:
    def compute() -> object:
        features0, features1, matches = some_features()
        points = torch.rand(400, 3, generator=torch.Generator().manual_seed(2))
        generator = torch.Generator().manual_seed(1)
        return score_pair(features0, features1, points, points, matches, generator)

    full = compute()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert compute() == full


def test_normalised_features_are_float32_and_of_unit_length() -> None:
    coordinates = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.int32)
    x = get_engine("native").sparse_tensor(coordinates, torch.ones(2, 3))
    unit = normalize(x.replace(torch.randn(2, 3).bfloat16())).features
    assert unit.dtype == torch.float32
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(2))


def test_what_cannot_be_is_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    minkowski = Res16UNet(3, 8, "14A", engine="minkowski", width=0.25)
    native = Res16UNet(3, 8, "14A", engine="native", width=0.25)
    check_precision(minkowski, "32-true")
    check_precision(native, "bf16-mixed")
    with pytest.raises(InputError, match="bf16-true: sparse networks train in 32-true, bf16-mixed"):
        check_precision(native, "bf16-true")
    arguments = ["--config", str(config), "--run_dir", "run", "--trainer.precision=bf16-mixed"]
    assert main([*arguments, "--model.backbone.engine=minkowski"]) == 2
    assert "MinkowskiEngine computes in float32 only" in capsys.readouterr().err
    assert not Path("run").exists()
