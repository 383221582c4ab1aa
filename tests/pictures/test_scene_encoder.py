"""Networks as functions from the views of a scene to features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.data.collate import collate_views
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.pictures.scene_encoder import load_encoder
from pointcontrast.scenes.view_store import ViewStore
from tests.helpers.corner_views import write_network_and_scene


@pytest.fixture(scope="module")
def network_and_scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_network_and_scene(tmp_path_factory.mktemp("real"))


def test_a_network_gives_the_features_of_its_network(
    network_and_scene: tuple[Path, Path],
) -> None:
    network, scene = network_and_scene
    store = ViewStore(scene)
    encoder = load_encoder(network, store.meta)
    assert encoder.voxel_size == 0.1
    points, features = encoder.encode(store[0])
    assert points.shape == (len(features), 3)
    assert features.shape[1] == 8
    # every voxel has one point of the view, in world metres
    gaps = np.linalg.norm(points[:, None] - store[0].points[None], axis=2).min(axis=1)
    assert gaps.max() == 0
    np.testing.assert_array_equal(encoder.encode(store[0])[1], features)

    state = torch.get_rng_state()
    untrained = load_encoder(network, store.meta, untrained_seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.abs(untrained.encode(store[0])[1] - features).max() > 1e-3
    same_seed = load_encoder(network, store.meta, untrained_seed=5)
    np.testing.assert_allclose(same_seed.encode(store[0])[1], features, atol=1e-5)


def test_calibration_measures_batch_norm_on_the_views(
    network_and_scene: tuple[Path, Path],
) -> None:
    network, scene = network_and_scene
    store = ViewStore(scene)
    plain = load_encoder(network, store.meta, untrained_seed=1)
    views = [store[0], store[1]]
    calibrated = load_encoder(network, store.meta, 1, calibration_views=views)

    with torch.random.fork_rng():
        torch.manual_seed(1)
        backbone = Res16UNet(6, 8, "14A", engine="native", width=0.25)
    recipe = NetworkInput(voxel_size=0.1, features=("ones", "color"), rotation="vertical")
    voxels = [recipe(view, store.meta.up, store.meta.floor_height) for view in views]
    batch = collate_views(voxels)
    for layer in backbone.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.momentum = 1.0  # the statistics of this pass only
    backbone.train()
    backbone.encode(batch.coordinates, batch.features)
    one = collate_views(voxels[:1])
    expected = backbone.eval().encode(one.coordinates, one.features).detach().numpy()
    features = calibrated.encode(store[0])[1]
    np.testing.assert_allclose(features, expected, atol=1e-5)
    assert np.abs(plain.encode(store[0])[1] - expected).max() > 1e-2


def test_views_too_small_to_calibrate_on_leave_the_statistics(
    network_and_scene: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    network, scene = network_and_scene
    store = ViewStore(scene)
    plain = load_encoder(network, store.meta, untrained_seed=1)
    calibrated = load_encoder(network, store.meta, 1, calibration_views=[store[0][:1]])
    np.testing.assert_array_equal(calibrated.encode(store[0])[1], plain.encode(store[0])[1])
    assert "batch norm" in caplog.text
