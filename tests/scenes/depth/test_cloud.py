"""A depth image as points and voxels, compared with loops over its pixels and the authors' way."""

import numpy as np
import pytest

from pointcontrast.compiled import depth as depth_kernels
from pointcontrast.data.augment import free_rotation
from pointcontrast.geometry import transform_points
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.scenes.depth.cloud import DepthCloud
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.voxelize import voxelize
from tests.helpers.small_scenes import INTRINSICS, look
from tests.oracles.depth import unproject


@pytest.fixture(params=["compiled", "numpy"])
def arithmetic(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr("pointcontrast.scenes.depth.cloud.load_depth_kernels", lambda: None)
    elif depth_kernels.load_depth_kernels() is None:
        pytest.fail("the kernels were not built")
    return request.param


def random_depth(seed, height=37, width=53, far=4000):
    """Steps, noise and holes; the width is no multiple of a vector register."""
    rng = np.random.default_rng(seed)
    depth = rng.integers(500, far, (height, width)).cumsum(axis=1) % far + 300
    return np.where(rng.random(depth.shape) < 0.3, 0, depth).astype(np.uint16)


def cloud_of(depth, **options):
    return DepthCloud(depth, INTRINSICS, look(0.4, position=(3.0, -2.0, 1.0)), **options)


def test_points_are_those_of_a_loop_over_pixels(arithmetic):
    cloud = cloud_of(random_depth(0))
    inverse = np.linalg.inv(INTRINSICS)
    expected = []
    for v, row in enumerate(cloud.millimetres.tolist()):
        for u, z in enumerate(row):
            if z:
                camera = inverse @ [u, v, 1] * z / 1000
                expected.append(cloud.world_from_camera[:3] @ [*camera, 1])
    assert cloud.points.dtype == np.float32
    assert len(cloud) == len(expected)
    np.testing.assert_allclose(cloud.points, expected, atol=3e-6)


def test_compiled_and_numpy_give_the_same_bits(monkeypatch):
    for seed in range(5):
        depth = random_depth(seed, far=60000 if seed else 4000)
        rotation = free_rotation(np.random.default_rng(seed))
        compiled = cloud_of(depth).points, *cloud_of(depth).voxelize(rotation, 0.3)
        with monkeypatch.context() as patch:
            patch.setattr("pointcontrast.scenes.depth.cloud.load_depth_kernels", lambda: None)
            plain = cloud_of(depth).points, *cloud_of(depth).voxelize(rotation, 0.3)
        np.testing.assert_array_equal(compiled[0], plain[0])
        np.testing.assert_array_equal(compiled[1].points, plain[1].points)
        np.testing.assert_array_equal(compiled[2], plain[2])


def test_taking_points_out_is_the_same_as_having_them_all(arithmetic):
    depth = random_depth(1)
    image = np.random.default_rng(1).integers(0, 255, (*depth.shape, 3), np.uint8)
    cloud = cloud_of(depth, color=lambda: image)
    rows = np.random.default_rng(2).permutation(len(cloud))[:100]
    part, whole = cloud[rows], cloud[:]
    np.testing.assert_array_equal(part.points, cloud.points[rows])
    np.testing.assert_array_equal(part.colors, whole.colors[rows])
    np.testing.assert_array_equal(part.normals, whole.normals[rows])
    np.testing.assert_array_equal(whole.colors, image[depth > 0])


def test_the_colour_image_is_read_when_it_is_wanted():
    def read():
        raise AssertionError("not yet")

    cloud = cloud_of(random_depth(0), color=read)
    assert len(cloud.points) == len(cloud)
    with pytest.raises(AssertionError, match="not yet"):
        cloud[:5]


@pytest.mark.parametrize("voxel_size", [0.05, 0.4, 1e-4])  # 1e-4: too many voxels for a bit each
def test_voxels_are_those_of_all_points(arithmetic, voxel_size):
    cloud = cloud_of(random_depth(3), normals=False)
    rotation = free_rotation(np.random.default_rng(3))
    kept, coordinates = cloud.voxelize(rotation, voxel_size)
    # the same in float64, where rounding puts next to no point into another voxel
    points = transform_points(
        cloud.world_from_camera, unproject(cloud.millimetres / 1000, INTRINSICS).reshape(-1, 3)
    )[cloud.millimetres.ravel() > 0]
    turned = (points - points.mean(axis=0)) @ rotation.T
    rows, expected = voxelize(turned, voxel_size)
    assert len(np.unique(coordinates, axis=0)) == len(coordinates)
    assert abs(len(coordinates) - len(expected)) <= 0.01 * len(expected) + 2
    same = set(map(tuple, coordinates.tolist())) & set(map(tuple, expected.tolist()))
    share = 0.98 if voxel_size > 1e-3 else 0.8  # float32 is a hundredth of that voxel
    assert len(same) >= share * len(expected)
    found = np.floor((kept.points - points.mean(axis=0)) @ rotation.T / voxel_size)
    near = np.abs(found - coordinates).max(axis=1) <= 1
    assert near.all()
    assert np.isin(kept.points[:, 0], cloud.points[:, 0]).all()
    assert len(rows) == len(expected)


@pytest.mark.parametrize("depth", [np.array([[0, 7]]), np.array([[65535]])])
def test_one_point_is_one_voxel_at_the_origin(arithmetic, depth):
    kept, coordinates = cloud_of(depth.astype(np.uint16)).voxelize(np.eye(3), 0.025)
    assert len(kept) == 1
    assert np.abs(coordinates).max() <= 1  # the mean is the point, up to rounding


@pytest.mark.parametrize("scene", ["redkitchen", "hololens"])
def test_a_real_view_is_that_of_the_frame(real_data, scene, arithmetic):
    frame = open_sequence(real_data / scene).read(5)
    cloud = to_view(frame).cloud
    valid = (frame.depth > 0) & (frame.depth <= 10)
    camera = unproject(frame.depth, frame.intrinsics)[valid]
    expected = transform_points(frame.world_from_camera, camera)
    np.testing.assert_allclose(cloud.points, expected, atol=5e-6)
    np.testing.assert_array_equal(cloud[:].colors, frame.color[valid])


@pytest.mark.parametrize("seed", range(40))
def test_bounds_hold_every_point(seed):
    """A point beyond the bounds would be written outside a bitmap."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 40, 2)
    depth = rng.choice([0, 1, 700, 701, 65534, 65535], (height, width)).astype(np.uint16)
    depth[rng.integers(height), rng.integers(width)] = 1200
    matrix = (rng.normal(size=(3, 4)) * rng.choice([1e-6, 1e-3, 1.0], (3, 4))).astype(np.float32)
    library = depth_kernels.load_depth_kernels()
    count = np.count_nonzero(depth)
    points = depth_kernels.unproject_to_world(library, depth, matrix, count)
    low, high = depth_kernels.depth_bounds(library, depth, matrix)
    assert (low <= points.min(axis=1)).all()
    assert (high >= points.max(axis=1)).all()
    if height == width == 1:
        np.testing.assert_array_equal(low, high)
