from __future__ import annotations

import pytest
import torch
from pytorch_lightning.plugins.layer_sync import TorchSyncBatchNorm
from torch import nn

from pointcontrast.backbones import Res16UNet
from pointcontrast.runs.batch_norm import Pass, measure_batch_norm, recalibrated_batch_norm
from pointcontrast.types import ViewBatch
from tests.oracles.engines import random_coordinates, random_features


def view(seed: int) -> ViewBatch:
    generator = torch.Generator().manual_seed(seed)
    coordinates = torch.randint(-20, 20, (400, 4), generator=generator)
    coordinates[:, 0] = coordinates[:, 0] % 2
    coordinates = torch.unique(coordinates, dim=0).int()
    features = torch.randn(len(coordinates), 3, generator=generator) + seed
    return ViewBatch(coordinates, features, torch.zeros(len(coordinates), 3), (0, len(coordinates)))


def one_pass(backbone: Res16UNet, seed: int) -> Pass:
    return lambda: backbone.encode(view(seed).coordinates, view(seed).features)


@pytest.fixture
def backbone() -> Res16UNet:
    torch.manual_seed(0)
    return Res16UNet(3, 8, "14A", engine="native", width=0.25)


def test_first_layer_has_the_mean_over_all_passes(backbone: Res16UNet) -> None:
    inputs = [view(seed) for seed in (0, 1, 4, 5)]
    stem = [
        backbone.conv0p1s1(backbone.engine.sparse_tensor(v.coordinates, v.features)).features
        for v in inputs
    ]
    with recalibrated_batch_norm(backbone, [one_pass(backbone, seed) for seed in (0, 1, 4, 5)]):
        assert not backbone.training
        torch.testing.assert_close(
            backbone.bn0.bn.running_mean, torch.stack([s.mean(0) for s in stem]).mean(0)
        )
        torch.testing.assert_close(
            backbone.bn0.bn.running_var, torch.stack([s.var(0) for s in stem]).mean(0)
        )


def test_afterwards_nothing_has_changed(backbone: Res16UNet) -> None:
    backbone.train()
    backbone.encode(view(9).coordinates, view(9).features)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    momenta = [m.momentum for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    with (
        pytest.raises(RuntimeError, match="inside"),
        recalibrated_batch_norm(backbone, [one_pass(backbone, 0)]),
    ):
        raise RuntimeError("inside")
    assert backbone.training
    for name, value in backbone.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert momenta == [
        m.momentum for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm1d)
    ]


def test_without_batches_the_moving_averages_stay(backbone: Res16UNet) -> None:
    backbone.train()
    backbone.encode(view(9).coordinates, view(9).features)
    before = backbone.bn0.bn.running_mean.clone()
    with recalibrated_batch_norm(backbone, []):
        assert not backbone.training
        torch.testing.assert_close(backbone.bn0.bn.running_mean, before)


@pytest.mark.parametrize("training", [False, True])
def test_measuring_is_for_good_and_keeps_mode_and_momenta(
    backbone: Res16UNet, training: bool
) -> None:
    backbone.train(training)
    momenta = [m.momentum for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    measure_batch_norm(backbone, [one_pass(backbone, seed) for seed in range(3)])
    stem = [
        backbone.conv0p1s1(
            backbone.engine.sparse_tensor(one.coordinates, one.features)
        ).features.mean(0)
        for one in map(view, range(3))
    ]
    torch.testing.assert_close(backbone.bn0.bn.running_mean, torch.stack(stem).mean(0))
    assert backbone.training == training
    assert momenta == [
        m.momentum for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm1d)
    ]


def test_a_pass_of_one_voxel_is_refused_and_changes_nothing(backbone: Res16UNet) -> None:
    before = {name: value.clone() for name, value in backbone.state_dict().items()}

    def one_voxel() -> None:
        backbone.encode(torch.zeros(1, 4, dtype=torch.int32), torch.ones(1, 3))

    with pytest.raises(ValueError, match="1 voxels"):
        measure_batch_norm(backbone, [one_pass(backbone, 0), one_voxel])
    for name, value in backbone.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_what_is_drawn_while_measuring_is_not_taken_from_training() -> None:
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm1d(3))
    before = torch.get_rng_state()
    measure_batch_norm(network, [lambda: network(torch.randn(8, 3))])
    torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)


@pytest.mark.parametrize("reverted", [False, True])
def test_synchronised_layers_are_measured_too(reverted: bool) -> None:
    """What trainer.sync_batchnorm makes of the layers, and what it leaves after training."""
    coordinates = random_coordinates(400, extent=24)
    features = random_features(len(coordinates), 3).float()

    def statistics(convert: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
        torch.manual_seed(0)
        net: nn.Module = Res16UNet(3, 4, "14A", width=0.125, engine="native")
        if convert:
            net = TorchSyncBatchNorm().apply(net)
            assert any(isinstance(m, nn.SyncBatchNorm) for m in net.modules())
            net = TorchSyncBatchNorm().revert(net) if reverted else net
        measure_batch_norm(net, [lambda: net.encode(coordinates, features)])  # pyright: ignore
        with torch.no_grad():
            return net.eval().encode(coordinates, features), list(net.buffers())  # pyright: ignore

    (expected, buffers), (found, converted) = statistics(False), statistics(True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for one, other in zip(converted, buffers, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
