"""``pl.Trainer.fit(PointContrast(...), loader)``: no data module and no callback of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from pointcontrast.backbones import Res16UNet
from pointcontrast.data.collate import collate_pairs
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.pair_dataset import PairDataset
from pointcontrast.data.pair_readers import StoredPairs
from pointcontrast.losses import PointInfoNCE
from pointcontrast.pretrain import PointContrast
from pointcontrast.runs.schedules import WarmupCosine
from pointcontrast.types import PairBatch

pytestmark = (
    pytest.mark.filterwarnings(  # Lightning's, of choices that these tests make and of torch
        "ignore:.*does not have many workers",
        "ignore:.*have no `val_dataloader`",
        "ignore:.*treespec.*is deprecated",
    )
)


def loader(root: Path, pairs: slice, batch_size: int = 2) -> DataLoader[PairBatch]:
    chosen = StoredPairs().list_pairs(root, ("color",))[pairs]
    network_input = NetworkInput(voxel_size=0.15, features=("color",), rotation="vertical")
    dataset = PairDataset(root, chosen, network_input)
    return DataLoader(dataset, batch_size=batch_size, collate_fn=collate_pairs)


def module(**arguments) -> PointContrast:
    torch.manual_seed(0)
    backbone = Res16UNet(3, 8, "14A", width=0.25, engine="native", normalize_output=True)
    loss = PointInfoNCE(temperature=0.1, num_positives=256)
    return PointContrast(backbone, loss, **({"calibration_batches": 1} | arguments))


def trainer(folder: Path, **arguments) -> pl.Trainer:
    return pl.Trainer(
        default_root_dir=folder, accelerator="cpu", log_every_n_steps=1, logger=False,
        enable_progress_bar=False, **arguments,
    )  # fmt: skip


def statistics(model: PointContrast) -> dict[str, torch.Tensor]:
    return {n: b.clone() for n, b in model.backbone.named_buffers() if "running" in n}


def test_a_loader_alone(prepared: Path, tmp_path: Path) -> None:
    model = module(schedule=WarmupCosine(2))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    fitted = trainer(tmp_path, max_epochs=2)
    fitted.fit(model, loader(prepared, slice(0, 6)))
    assert fitted.global_step == 6
    assert fitted.optimizers[0].param_groups[0]["lr"] == 0  # the cosine ends with the run
    assert any(not torch.equal(before[name], p) for name, p in model.named_parameters())
    assert torch.isfinite(fitted.logged_metrics["train/loss"])


def test_with_held_out_pairs(prepared: Path, tmp_path: Path) -> None:
    model, scored = module(), []
    model.on_scored = lambda figures: scored.append((figures, statistics(model)))
    fitted = trainer(tmp_path, max_steps=2)
    training = loader(prepared, slice(0, 4))
    fitted.fit(model, training, loader(prepared, slice(6, 11), batch_size=3))
    (sanity, uncalibrated), (figures, calibrated) = scored
    assert sanity.keys() == figures.keys()
    assert 0 <= figures["top1_accuracy"] <= 1
    # before training Lightning has no loader for training yet, afterwards it has
    fresh = module()
    assert all(torch.equal(uncalibrated[n], b) for n, b in statistics(fresh).items())
    assert any(not torch.equal(calibrated[n], b) for n, b in statistics(model).items())


def test_pairs_of_one_batch_are_scored_as_pairs_alone(prepared: Path, tmp_path: Path) -> None:
    """Each pair is compared with its own other view, whatever else is in its batch."""
    found = []
    for batch_size in (1, 4):
        model = module(inlier_distance=None if batch_size == 1 else 0.3)
        held_out = loader(prepared, slice(4, 8), batch_size)
        with pytest.warns(UserWarning, match="collapse"):  # no loader to calibrate on
            (figures,) = trainer(tmp_path).validate(model, held_out, verbose=False)
        found.append(figures)
    assert found[0] == pytest.approx(found[1], abs=5e-3)
    assert found[0].keys() >= {"validation/top1_accuracy", "validation/effective_rank"}


def test_an_inlier_distance_given_wins(prepared: Path, tmp_path: Path) -> None:
    found = []
    for given in (None, 0.05):
        model = module(inlier_distance=given, num_candidates=200)
        model.on_scored = found.append
        with pytest.warns(UserWarning, match="collapse"):
            trainer(tmp_path).validate(model, loader(prepared, slice(4, 5)), verbose=False)
    by_voxel, by_hand = found
    assert (by_voxel["inlier_distance"], by_hand["inlier_distance"]) == (0.3, 0.05)
    assert by_voxel["inlier_ratio"] > by_hand["inlier_ratio"]


class Broken(Exception):
    """What the test raises."""


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt])
def test_an_exception_in_validation_leaves_batch_norm_as_it_was(
    prepared: Path, tmp_path: Path, error: type[BaseException]
) -> None:
    model, seen = module(), []

    class Breaking(pl.Callback):
        def on_validation_batch_end(self, trainer, *_, **__) -> None:
            if not trainer.sanity_checking:
                seen.append(statistics(model))
                raise error

        def on_validation_start(self, trainer, *_) -> None:
            if not trainer.sanity_checking:
                seen.append(statistics(model))

    with pytest.raises((error, SystemExit)):
        trainer(tmp_path, max_epochs=1, callbacks=[Breaking()]).fit(
            model, loader(prepared, slice(0, 4)), loader(prepared, slice(4, 6))
        )
    before, within = seen
    after = statistics(model)
    assert any(not torch.equal(before[name], within[name]) for name in before)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_rank_without_a_pair_has_the_networks_number_of_channels() -> None:
    empty = collate_pairs([])
    for out_channels, expected in ((8, 8), (None, 24)):
        backbone = Res16UNet(3, out_channels, "14A", width=0.25, engine="native")
        model = PointContrast(backbone, PointInfoNCE(normalize=True))
        features = model._encode(empty.view0)
        assert features.shape == (0, expected)
        features.sum().backward()
        used = [p for n, p in backbone.named_parameters() if p.grad is not None]
        assert len(used) == len(list(backbone.parameters()))
