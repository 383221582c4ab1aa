from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from downstream.heads import Head, LinearHead
from downstream.network import Network
from downstream.predictor import Predictor
from downstream.samples import SampleMaker
from downstream.tasks import Classification, Segmentation
from downstream.types import IGNORE, LabelledCloud
from pointcontrast.backbones import Backbone, Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError

VOXEL = 0.1
CLASSES = ["a", "b", "c", "d"]


def cloud(seed: int = 0, count: int = 4000, size: float = 3.0) -> LabelledCloud:
    rng = np.random.default_rng(seed)
    points = (rng.random((count, 3)) * (size, size, 1)).astype(np.float32) - np.float32(0.7)
    return LabelledCloud(
        name="one",
        points=points,
        colors=(rng.random((count, 3)) * 255).astype(np.float32),
        labels=rng.integers(-1, 4, count).astype(np.int32),
    )


def small_network(kernel: int = 3) -> Network:
    torch.manual_seed(0)
    backbone = Res16UNet(3, None, "14A", engine="native", width=0.25, stem_kernel_size=kernel)
    return Network(backbone, LinearHead(backbone.level_channels, 4)).eval()


def predictor(network: Network, **more: object) -> Predictor:
    maker = SampleMaker(NetworkInput(voxel_size=VOXEL, features=("color",)), None)
    return Predictor(network=network, task=Segmentation(CLASSES), maker=maker, **more)


def test_a_point_has_the_class_of_the_nearest_voxel() -> None:
    scene = cloud()
    found = predictor(small_network())(scene)
    # brute force: the occupied voxel whose centre is nearest, in the scene's own frame
    voxels = np.unique(np.floor(scene.points / np.float32(VOXEL)), axis=0)
    away = np.linalg.norm(scene.points[:, None] - (voxels[None] + 0.5) * VOXEL, axis=2)
    nearest = away.argmin(axis=1)
    by_voxel = {}
    for voxel, point_class in zip(nearest, found.point_classes, strict=True):
        assert by_voxel.setdefault(voxel, point_class) == point_class
    assert len(by_voxel) == len(voxels) == len(found.voxel_classes)
    assert sorted(by_voxel.values()) == sorted(found.voxel_classes.tolist())
    assert len(set(by_voxel.values())) > 1
    np.testing.assert_array_equal(found.point_labels, scene.labels)
    agree = {
        voxel: labels.pop() if len(labels := set(scene.labels[nearest == voxel])) == 1 else IGNORE
        for voxel in range(len(voxels))
    }
    assert sorted(agree.values()) == sorted(found.voxel_labels.tolist())


class Pointwise(Backbone):
    """A backbone that sees no neighbours: blocks and turns change nothing for it."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__(channels, None, "native")
        self.num_features = 8
        self.stem = self.engine.Convolution(channels, 8, kernel_size=1)

    def forward_levels(self, x):
        return [self.stem(x)]


def test_blocks_and_votes_change_nothing_for_a_network_without_neighbours() -> None:
    torch.manual_seed(1)
    network = Network(Pointwise(), LinearHead([8], 4)).eval()
    scene = cloud(1)
    whole = predictor(network)(scene)
    blocks = predictor(network, max_voxels=900, overlap=0.2)(scene)
    np.testing.assert_array_equal(whole.voxel_classes, blocks.voxel_classes)
    np.testing.assert_array_equal(whole.point_classes, blocks.point_classes)
    one_point_a_voxel = scene[
        np.unique(np.floor(scene.points / VOXEL), axis=0, return_index=True)[1]
    ]
    # sparse enough that each point is alone in its voxel however it is turned
    apart = one_point_a_voxel[np.argsort(one_point_a_voxel.points[:, 0])[::60]]
    once = predictor(network)(apart)
    voted = predictor(network, num_votes=5)(apart)
    assert len(once.voxel_classes) == len(apart)
    np.testing.assert_array_equal(once.point_classes, voted.point_classes)


def test_enough_surroundings_make_blocks_exact() -> None:
    # one convolution over neighbours: an overlap of one voxel is all that it sees
    class OneLayer(Pointwise):
        def __init__(self) -> None:
            super().__init__()
            self.stem = self.engine.Convolution(3, 8, kernel_size=3)

    torch.manual_seed(2)
    network = Network(OneLayer(), LinearHead([8], 4)).eval()
    scene = cloud(2, 6000)
    whole = predictor(network)(scene)
    exact = predictor(network, max_voxels=1500, overlap=VOXEL)(scene)
    cut = predictor(network, max_voxels=1500, overlap=0.0)(scene)
    np.testing.assert_array_equal(whole.voxel_classes, exact.voxel_classes)
    assert (whole.voxel_classes != cut.voxel_classes).any()  # the test would see the difference


def test_votes_sum_probabilities_over_turns() -> None:
    network = small_network()
    scene = cloud(3, 1500)
    single = predictor(network)
    total = np.zeros((len(scene), 4))
    for turn in range(3):
        angle = 2 * np.pi * turn / 3
        rotation = np.array(
            [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
        ).astype(np.float32)
        turned = replace(scene, points=scene.points @ rotation.T)
        voxels, inverse = single.maker.voxels(turned)
        with torch.no_grad():
            batch = single._batch(turned, voxels)
            total += network(batch).softmax(dim=1).numpy()[inverse]
    found = predictor(network, num_votes=3)(scene)
    assert (found.point_classes == total.argmax(axis=1)).mean() > 0.999  # rounding decides ties
    assert (found.point_classes != single(scene).point_classes).any()


def test_a_cloud_with_one_class_has_one_prediction() -> None:
    class Mean(Head):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 4)

        def forward(self, levels, batch):
            return self.linear(levels[-1].features.mean(dim=0, keepdim=True))

    torch.manual_seed(4)
    network = Network(Pointwise(), Mean()).eval()
    maker = SampleMaker(NetworkInput(voxel_size=VOXEL, features=("color",)), None)
    task = Classification(CLASSES, [5, 5, 5, 5])
    run = Predictor(network=network, task=task, maker=maker, num_votes=2)
    found = run(replace(cloud(4), labels=None, category=2))
    assert found.voxel_classes.shape == (1,)
    assert found.voxel_labels.tolist() == [2]
    assert found.point_classes is None


def test_bad_values_and_clouds_are_named() -> None:
    with pytest.raises(InputError, match="votes 0"):
        predictor(small_network(), num_votes=0)
    with pytest.raises(InputError, match="overlap -1"):
        predictor(small_network(), overlap=-1.0)
    with pytest.raises(InputError, match="one: it holds no point"):
        predictor(small_network())(cloud()[:0])
    with pytest.raises(InputError, match="raise max_voxels"):
        predictor(small_network(), max_voxels=10, overlap=1.0)(cloud())
