from __future__ import annotations

import json

import numpy as np
import pytest

from pointcontrast.data.network_input import (
    NetworkInput,
    center_colors,
    first_lacking,
    input_features,
    num_channels,
)
from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about
from pointcontrast.types import PointCloud

UP = np.array([0.0, -1.0, 0.0])


def cloud(num_points: int = 500) -> PointCloud:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(num_points, 3)).astype(np.float32)
    return PointCloud(
        points=rng.uniform(-2, 2, (num_points, 3)).astype(np.float32),
        colors=rng.integers(0, 256, (num_points, 3), dtype=np.uint8),
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
    )


def rows_of(view_points: np.ndarray, source: PointCloud) -> np.ndarray:
    lookup = {tuple(p): i for i, p in enumerate(source.points.tolist())}
    return np.array([lookup[tuple(p)] for p in view_points.tolist()])


def test_released_input_is_ones_and_noise() -> None:
    view = NetworkInput(voxel_size=0.1)(cloud(), UP, 0.0, np.random.default_rng(3))
    assert view.features.shape[1] == 3
    assert abs(view.features - 1).max() < 0.06
    plain = NetworkInput(voxel_size=0.1)(cloud(), UP, 0.0)
    np.testing.assert_array_equal(plain.features, np.ones_like(plain.features))


def test_features_stand_in_the_order_asked_for() -> None:
    source = cloud()
    recipe = NetworkInput(
        voxel_size=0.1, features=("height", "color", "normal"), rotation="none", feature_noise=0
    )
    view = recipe(source, UP, -2.0)
    rows = rows_of(view.points, source)
    np.testing.assert_allclose(view.features[:, 0], -source.points[rows, 1] + 2, atol=1e-6)
    np.testing.assert_allclose(view.features[:, 1:4], source.colors[rows] / 255 - 0.5, atol=1e-6)
    np.testing.assert_allclose(view.features[:, 4:], source.normals[rows], atol=1e-6)
    assert recipe.in_channels == 7 == num_channels(recipe.features)


def test_vertical_stands_the_scene_upright_and_turns_normals_along() -> None:
    source = cloud()
    recipe = NetworkInput(
        voxel_size=0.1, features=("normal",), rotation="vertical", feature_noise=0
    )
    for rng in (None, np.random.default_rng(0)):
        view = recipe(source, UP, 0.0, rng)
        rows = rows_of(view.points, source)
        height = source.points[rows] @ UP.astype(np.float32)
        # coordinates are centred: z and height differ by one shift, within a voxel
        shift = view.coordinates[:, 2] * 0.1 - height
        assert np.ptp(shift) < 0.11
        np.testing.assert_allclose(
            view.features[:, 2], source.normals[rows] @ UP.astype(np.float32), atol=1e-5
        )


def test_views_are_centred() -> None:
    moved = PointCloud(points=cloud().points + np.float32(50))
    view = NetworkInput(voxel_size=0.1)(moved, UP, 0.0)
    assert abs(view.coordinates.mean(axis=0)).max() < 3


def test_same_generator_same_view() -> None:
    recipe = NetworkInput(voxel_size=0.1, features=("color",), color_jitter=1.0)
    first, second = (recipe(cloud(), UP, 0.0, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.coordinates, second.coordinates)
    np.testing.assert_array_equal(first.features, second.features)
    other = recipe(cloud(), UP, 0.0, np.random.default_rng(6))
    assert not np.array_equal(first.coordinates[:20], other.coordinates[:20])


def test_survives_json() -> None:
    recipe = NetworkInput(0.05, ("color", "height"), "vertical", 0.05, 1.0, 0.02)
    assert NetworkInput.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"features": ()}, "features"),
        ({"features": ("ones", "ones")}, "each once"),
        ({"features": ("smell",)}, "smell"),
        ({"voxel_size": 0}, "voxel_size"),
        ({"max_tilt": -1}, "max_tilt"),
        ({"feature_noise": float("nan")}, "feature_noise"),
    ],
)
def test_bad_values_are_named(arguments: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        NetworkInput(**arguments)


@pytest.mark.parametrize("feature", ["color", "normal"])
def test_missing_data_is_named(feature: str) -> None:
    bare = PointCloud(points=cloud().points)
    with pytest.raises(InputError, match=feature):
        NetworkInput(features=(feature,))(bare, UP, 0.0)


def test_rotation_does_not_change_what_is_kept_in_the_world() -> None:
    source = cloud()
    turned = PointCloud(
        points=(source.points @ rotation_about([0, 0, 1], 0.3).T).astype(np.float32)
    )
    view = NetworkInput(voxel_size=0.1)(turned, UP, 0.0, np.random.default_rng(0))
    assert set(map(tuple, view.points.tolist())) <= set(map(tuple, turned.points.tolist()))


def test_columns_of_features() -> None:
    rng = np.random.default_rng(0)
    colors, normals, heights = (rng.normal(size=s).astype(np.float32) for s in ((4, 3), (4, 3), 4))
    features = input_features(
        ("normal", "height", "ones", "color"), 4, colors=colors, normals=normals, heights=heights
    )
    assert features.dtype == np.float32
    np.testing.assert_array_equal(
        features, np.column_stack([normals, heights, np.ones((4, 3)), colors])
    )
    np.testing.assert_array_equal(input_features(("ones",), 2, colors=colors), np.ones((2, 3)))


@pytest.mark.parametrize("feature", ["color", "normal", "height"])
def test_a_feature_without_its_values_is_a_mistake(feature: str) -> None:
    with pytest.raises(ValueError, match=feature):
        input_features((feature,), 4)  # pyright: ignore[reportArgumentType]


def test_what_is_lacking() -> None:
    held = np.zeros((1, 3))
    assert first_lacking(("ones", "height"), colors=None, normals=None) is None
    assert first_lacking(("normal", "color"), colors=held, normals=held) is None
    assert first_lacking(("normal", "color"), colors=None, normals=None) == ("normal", "normals")
    assert first_lacking(("normal", "color"), colors=None, normals=held) == ("color", "colours")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_centred_colours(dtype: type) -> None:
    centred = center_colors(np.array([[0, 51, 255]], dtype))
    assert centred.dtype == np.float32
    np.testing.assert_allclose(centred, [[-0.5, -0.3, 0.5]], atol=1e-7)
