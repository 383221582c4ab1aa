from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from downstream.augmentation.boxes import BoxAugmentation
from downstream.augmentation.recipes import SceneAugmentation
from downstream.boxes.geometry import corners, points_in_boxes
from downstream.samples import SampleMaker
from downstream.types import LabelledCloud
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError


def boxed_cloud() -> LabelledCloud:
    """A cloud whose first eight points are the corners of its box, and the ninth is its front."""
    box = np.array([[1.0, 2.0, 0.5, 1.6, 0.8, 1.0, 0.7, 3.0]], np.float32)
    front = box[0, :3] + 0.8 * np.array([np.cos(0.7), np.sin(0.7), 0])
    rng = np.random.default_rng(0)
    points = np.concatenate([corners(box)[0], front[None], rng.normal(size=(50, 3))])
    return LabelledCloud(
        name="one",
        points=points.astype(np.float32),
        normals=np.eye(3, dtype=np.float32)[rng.integers(0, 3, len(points))],
        boxes=box,
        box_rows=np.zeros((len(points), 3), np.int32),
    )


@pytest.mark.parametrize("flips", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_box_goes_with_its_points(flips: tuple[int, int], seed: int) -> None:
    cloud = boxed_cloud()
    augmentation = BoxAugmentation(flip_probabilities=flips, max_turn=3.0, scale=(0.5, 1.5))
    found = augmentation.before_voxels(cloud, np.random.default_rng(seed))
    assert found.boxes is not None
    there = corners(found.boxes)[0]
    moved = found.points[:8]
    gaps = np.linalg.norm(there[:, None] - moved[None], axis=2)
    assert gaps.min(axis=0).max() < 1e-5  # a mirror changes which corner is which
    yaw = found.boxes[0, 6]
    front = found.boxes[0, :3] + found.boxes[0, 3] / 2 * np.array([np.cos(yaw), np.sin(yaw), 0])
    np.testing.assert_allclose(front, found.points[8], atol=1e-5)
    assert -np.pi <= yaw < np.pi
    assert found.boxes[0, 7] == 3
    inside = points_in_boxes(cloud.points[9:], cloud.boxes)
    np.testing.assert_array_equal(points_in_boxes(found.points[9:], found.boxes), inside)
    np.testing.assert_allclose(np.linalg.norm(found.normals, axis=1), 1, atol=1e-6)
    assert found.box_rows is cloud.box_rows


def test_draws_are_within_their_bounds_and_of_the_seed() -> None:
    cloud = boxed_cloud()
    augmentation = BoxAugmentation()
    yaws, factors, signs = [], [], []
    for seed in range(300):
        found = augmentation.before_voxels(cloud, np.random.default_rng(seed)).boxes[0]
        factors.append(found[3] / 1.6)
        flipped = abs(found[6] - 0.7) > np.pi / 6 + 1e-6
        signs.append(flipped)
        yaws.append(found[6] - (np.pi - 0.7 if flipped else 0.7))
    turns = (np.array(yaws) + np.pi) % (2 * np.pi) - np.pi
    assert 0.8 * np.pi / 6 < np.abs(turns).max() <= np.pi / 6 + 1e-6
    assert 0.85 <= min(factors) < 0.87
    assert 1.13 < max(factors) <= 1.15
    assert 0.4 < np.mean(signs) < 0.6
    again = augmentation.before_voxels(cloud, np.random.default_rng(299)).boxes[0]
    np.testing.assert_array_equal(again, found)


def test_a_cloud_without_boxes_is_turned_alone() -> None:
    cloud = replace(boxed_cloud(), boxes=None, box_rows=None, normals=None)
    found = BoxAugmentation().before_voxels(cloud, np.random.default_rng(0))
    assert found.boxes is None
    assert (found.points != cloud.points).any()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"flip_probabilities": [0.5]}, "flip_probabilities"),
        ({"flip_probabilities": [0.5, 1.5]}, "flip_probabilities"),
        ({"max_turn": -1.0}, "max_turn"),
        ({"scale": (1.2, 0.8)}, "scale"),
    ],
)
def test_bad_values_are_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        BoxAugmentation(**arguments)


def test_what_moves_points_alone_is_refused() -> None:
    maker = SampleMaker(NetworkInput(voxel_size=0.1), SceneAugmentation())
    with pytest.raises(InputError, match=r"SceneAugmentation leaves boxes.*BoxAugmentation"):
        maker(boxed_cloud(), np.random.default_rng(0))


def test_a_sample_holds_the_changed_boxes_and_the_points_of_its_voxels() -> None:
    cloud = boxed_cloud()
    rows = np.repeat(np.arange(len(cloud), dtype=np.int32)[:, None], 3, axis=1)
    cloud = replace(cloud, box_rows=rows)
    maker = SampleMaker(NetworkInput(voxel_size=0.1), BoxAugmentation())
    sample = maker(cloud, np.random.default_rng(5))
    changed = maker.augmentation.before_voxels(cloud, np.random.default_rng(5))
    np.testing.assert_array_equal(sample.boxes, changed.boxes)
    np.testing.assert_array_equal(sample.points, changed.points[sample.box_rows[:, 0]])
    voxels = np.floor(sample.points / np.float32(0.1)).astype(int)
    np.testing.assert_array_equal(voxels - voxels.min(axis=0), sample.coordinates)
