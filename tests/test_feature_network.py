"""``pointcontrast.load``: features of arrays of any kind, equal to those of the training path."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointcontrast
from pointcontrast import FeatureNetwork, InputError, NetworkInput, Res16UNet
from pointcontrast.data.collate import collate_views
from pointcontrast.types import PointCloud
from pointcontrast.weights.backbone_file import load_backbone, save_backbone
from tests.helpers.authors_weights import (
    in_hybrid_order,
    with_strong_centres,
    write_checkpoint,
)

UP = np.array([0.0, 0.0, 1.0])


def write_backbone(path: Path, *features: Any, rotation: Any = "vertical") -> Path:
    torch.manual_seed(0)
    recipe = NetworkInput(voxel_size=0.1, features=features, rotation=rotation)
    backbone = Res16UNet(
        recipe.in_channels, 8, "14A", engine="native", width=0.25, normalize_output=True
    )
    backbone.train()
    for seed in range(3):  # statistics of its own
        points, colors = room(seed)
        normals = np.tile(np.float32([0, 0, 1]), (len(points), 1))
        view = recipe(PointCloud(points, colors, normals), UP, 0.0)
        batch = collate_views([view])
        backbone.encode(batch.coordinates, batch.features)
    save_backbone(path, backbone, recipe, {})
    return path


def room(seed: int = 0, num_points: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """A floor and two walls."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 3, (num_points, 3)).astype(np.float32)
    points[np.arange(num_points), rng.integers(0, 3, num_points)] = 0
    return points, rng.integers(0, 256, (num_points, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backbone(tmp_path_factory.mktemp("color") / "backbone.safetensors", "color")


@pytest.fixture(scope="module")
def network(file: Path) -> FeatureNetwork:
    return pointcontrast.load(file, device="cpu")


def test_features_are_those_of_the_training_path_to_the_bit(
    file: Path, network: FeatureNetwork
) -> None:
    points, colors = room()
    backbone, metadata = load_backbone(file)
    view = metadata.network_input(PointCloud(points, colors), UP, 0.0)
    batch = collate_views([view])
    with torch.no_grad():
        expected = backbone.encode(batch.coordinates, batch.features).numpy()
    voxels = network.voxels(points, colors)
    np.testing.assert_array_equal(voxels.features, expected)
    np.testing.assert_array_equal(voxels.points, view.points)
    features = network(points, colors)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, expected[voxels.inverse])
    np.testing.assert_array_equal(voxels.inverse[np.unique(voxels.inverse, return_index=True)[1]],
                                  np.arange(len(expected)))  # fmt: skip
    # each point is in the voxel of the point that is kept for it
    assert np.abs(points - voxels.points[voxels.inverse]).max() < 0.1


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.tolist(),
        lambda x: np.asfortranarray(x),
        lambda x: x[:, ::-1][:, ::-1],
        torch.from_numpy,
        lambda x: x.astype(np.float64),
    ],
    ids=["lists", "fortran", "strides", "tensor", "float64"],
)
def test_points_of_any_kind(network: FeatureNetwork, form: Callable[[Any], Any]) -> None:
    points, colors = room()
    expected = network(points, colors)
    np.testing.assert_array_equal(np.asarray(network(form(points), colors)), expected)


@pytest.mark.parametrize(
    "form",
    [
        lambda c: c.tolist(),
        lambda c: c / 255,
        lambda c: c.astype(np.float32),
        lambda c: c.astype(np.uint16) * np.uint16(257),
        lambda c: torch.from_numpy(c),
        lambda c: torch.from_numpy(c / 255).half(),
    ],
    ids=["lists", "0..1", "0..255", "uint16", "tensor", "half"],
)
def test_colors_of_any_form(network: FeatureNetwork, form: Callable[[Any], Any]) -> None:
    points, colors = room()
    np.testing.assert_array_equal(network(points, form(colors)), network(points, colors))


def test_tensors_come_back_as_tensors_that_train_a_probe(network: FeatureNetwork) -> None:
    points, colors = room()
    features = network(torch.from_numpy(points), colors)
    assert isinstance(features, torch.Tensor)
    assert features.dtype == torch.float32
    probe = torch.nn.Linear(network.num_features, 2)
    probe(features).sum().backward()
    assert probe.weight.grad is not None


def test_several_clouds_in_one_call(network: FeatureNetwork) -> None:
    clouds = [room(seed, 1000 + seed) for seed in range(3)]
    found = network([p for p, _ in clouds], [c for _, c in clouds])
    assert [len(f) for f in found] == [1000, 1001, 1002]
    for (points, colors), features in zip(clouds, found, strict=True):
        np.testing.assert_array_equal(features, network(points, colors))
    voxels = network.voxels([clouds[0][0].tolist()], [clouds[0][1]])
    np.testing.assert_array_equal(voxels[0].features[voxels[0].inverse], found[0])


def test_colours_of_several_clouds_have_one_range(network: FeatureNetwork) -> None:
    points, colors = room()
    dark = np.minimum(colors, 1).astype(np.float32)  # alone: white in 0..1
    both = network([points, points], [colors.astype(np.float32), dark])
    np.testing.assert_array_equal(both[1], network(points, np.minimum(colors, 1)))


def test_a_large_cloud_goes_in_blocks(network: FeatureNetwork) -> None:
    points, colors = room(num_points=20_000)
    whole = network(points, colors)
    blocks = network(points, colors, max_voxels=1800, overlap=0.5)
    assert blocks.shape == whole.shape
    assert not np.array_equal(blocks, whole)
    # nearly what the network says of the whole
    assert (blocks * whole).sum(axis=1).mean() > 0.9


def test_georeferenced_points_keep_their_digits(network: FeatureNetwork) -> None:
    points, colors = room()
    offset = np.array([450_000.0, 5_200_000.0, 300.0])
    voxels = network.voxels(points.astype(np.float64) + offset, colors)
    assert voxels.points.dtype == np.float64
    near = voxels.points - offset
    assert np.abs(points - near[voxels.inverse]).max() < 0.1
    at_home = network(points, colors)
    # a voxel's border may fall on the other side of a point
    assert np.median(np.abs(voxels.features[voxels.inverse] - at_home)) < 0.01


def test_the_up_direction_stands_the_cloud_upright(network: FeatureNetwork) -> None:
    points, colors = room()
    lying = points[:, [0, 2, 1]] * np.float32([1, 1, -1])  # y up
    expected = network(points, colors)
    turned = np.abs(network(lying, colors, up=(0, 2, 0)) - expected).mean()
    assert turned < 0.1 * np.abs(network(lying, colors) - expected).mean()


def test_statistics_of_the_input_are_for_one_call(network: FeatureNetwork) -> None:
    points, colors = room()
    before = network(points, colors)
    measured = network(points, colors, batch_norm="input")
    assert np.abs(measured - before).max() > 1e-3
    np.testing.assert_array_equal(network(points, colors), before)
    with pytest.raises(InputError, match="needs larger clouds"):
        network(points[:1], colors[:1], batch_norm="input")
    np.testing.assert_array_equal(network(points, colors), before)


def test_heights_are_above_the_floor(tmp_path: Path) -> None:
    network = pointcontrast.load(write_backbone(tmp_path / "b.safetensors", "ones", "height"))
    points, _ = room()
    features = network(points)
    np.testing.assert_allclose(network(points + np.float32([0, 0, 64])), features, atol=1e-3)
    np.testing.assert_array_equal(network(points, floor_height=0.0), features)
    assert np.abs(network(points, floor_height=-1.0) - features).max() > 1e-4
    far = points + np.float64([0, 0, 4096])  # an origin is taken off, of the floor too
    np.testing.assert_allclose(network(far, floor_height=4096.0), features, atol=1e-3)


NAN = np.full((4, 3), np.nan)
WIDE = np.zeros((4, 6), np.float32)
POINTS, COLORS = room()


@pytest.mark.parametrize(
    ("points", "keywords", "message"),
    [
        (np.vstack([POINTS, NAN]), {}, "points holds NaN or infinity in 4 of 3004 rows, first in"),
        (np.zeros((0, 3)), {}, "points holds no point"),
        ([], {}, "points is an empty sequence"),
        (POINTS.astype(np.float16), {}, "half precision"),
        (torch.from_numpy(POINTS).bfloat16(), {}, "half precision"),
        (POINTS.T, {}, r"points has the shape \(3, 3000\); give \(N, 3\) metres"),
        (WIDE, {}, "pass what follows x y z as colors= or normals="),
        (POINTS[0], {}, r"points has the shape \(3,\)"),
        ([[0, 0, 0], [1, 2]], {}, "rows of different lengths"),
        ([["a", "b", "c"]], {}, "give .N, 3. numbers"),
        ([POINTS, NAN], {"colors": [COLORS, COLORS[:4]]}, r"points\[1\] holds NaN"),
        ([POINTS, POINTS], {"colors": [COLORS]}, "colors holds 1 arrays for 2 clouds"),
        (POINTS, {"colors": COLORS[1:]}, r"colors has the shape \(2999, 3\); give \(3000, 3\)"),
        (POINTS, {"colors": np.pad(COLORS, ((0, 0), (0, 1)))}, "drop the alpha column"),
        (POINTS, {"colors": -COLORS.astype(np.float32)}, "negative"),
        (POINTS, {"colors": COLORS / 255 * 1.5}, "neither 0..1 nor 0..255"),
        (POINTS, {"colors": (COLORS > 100).astype(int)}, "integer colours of 0 and 1"),
        (POINTS, {}, "this network was trained on colours: pass colors=, "),
        (POINTS, {"colors": COLORS, "up": (0, 0, 0)}, "up must be three numbers"),
        (POINTS, {"colors": COLORS, "up": "z"}, "up must be three numbers"),
        (POINTS, {"colors": COLORS, "normals": POINTS}, "give unit vectors"),
        (POINTS, {"colors": COLORS, "batch_norm": "own"}, "must be 'file' or 'input'"),
        (POINTS, {"colors": COLORS, "max_voxels": 0}, "max_voxels 0"),
        (POINTS * 1e7, {"colors": COLORS}, "look for an outlier"),
    ],
)
def test_bad_input_is_one_line(
    network: FeatureNetwork, points: Any, keywords: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        network(points, **keywords)
    assert "\n" not in str(caught.value)


def test_a_network_on_normals_wants_normals(tmp_path: Path) -> None:
    network = pointcontrast.load(write_backbone(tmp_path / "b.safetensors", "normal"))
    with pytest.raises(InputError, match="trained on normals: pass normals=, "):
        network(POINTS)
    normals = np.tile(np.float32([0, 0, 1]), (len(POINTS), 1))
    assert network(POINTS, normals=normals).shape == (len(POINTS), 8)


def test_a_released_file_is_loaded_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "released.pth"
    backbone = with_strong_centres(
        Res16UNet(3, 8, "14A", engine="native", width=0.25, normalize_output=True)
    ).eval()
    write_checkpoint(path, "PointContrast", in_hybrid_order(backbone.state_dict()), legacy=True)
    network = pointcontrast.load(path)
    assert network.voxel_size == 0.025
    assert network.network_input.features == ("ones",)
    points = POINTS[:300]
    batch = collate_views([network.network_input(PointCloud(points), UP, 0.0)])
    with torch.no_grad():
        expected = backbone.encode(batch.coordinates, batch.features).numpy()
    np.testing.assert_array_equal(network.voxels(points).features, expected)
    with pytest.raises(InputError, match="does not exist"):
        pointcontrast.load(tmp_path / "none.pth")


def test_a_network_in_space_and_time_is_refused(tmp_path: Path) -> None:
    backbone = Res16UNet(3, 8, "14A", engine="native", width=0.25, dimension=4)
    save_backbone(tmp_path / "b.safetensors", backbone, NetworkInput(voxel_size=0.1), {})
    with pytest.raises(InputError, match="in space and time, which takes clips"):
        pointcontrast.load(tmp_path / "b.safetensors")


def test_import_is_light() -> None:
    program = (
        "import sys, pointcontrast; heavy = {'torch', 'numpy', 'open3d', 'pytorch_lightning'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        "assert set(pointcontrast.__all__) <= set(dir(pointcontrast))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", pointcontrast.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pointcontrast, name).__doc__
