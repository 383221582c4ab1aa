import numpy as np
import pytest

from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.scenes.views import thin
from pointcontrast.types import Frame, PointCloud, Sweep
from tests.helpers.repository import REAL_DATA
from tests.helpers.small_scenes import HIGH, LOW, look, render, walk

DATA = REAL_DATA


def _wall_normals(points):
    """Inward normal of the nearest wall, and the distance to it."""
    distance = np.concatenate([points - LOW, HIGH - points], axis=1)
    normals = np.concatenate([np.eye(3), -np.eye(3)])
    return normals[distance.argmin(axis=1)], distance


def test_points_lie_on_the_walls_and_normals_are_theirs():
    view = to_view(render(look(0.4))).cloud[:]
    assert len(view) == 160 * 120
    expected, distance = _wall_normals(view.points.astype(np.float64))
    assert np.abs(distance.min(axis=1)).max() < 1.2e-3  # depth is kept in whole millimetres
    away = np.sort(distance, axis=1)[:, 1] > 0.3  # of the room's edges
    assert away.mean() > 0.4
    assert (view.normals[away] * expected[away]).sum(axis=1).min() > 0.999


def test_depth_that_is_missing_not_finite_or_far_is_dropped():
    frame = render(look(0.4))
    depth = frame.depth.copy()
    depth[0, :4] = 0, np.nan, np.inf, 11
    frame = Frame("f", depth, frame.color, frame.intrinsics, frame.world_from_camera)
    view = to_view(frame, max_depth=10).cloud[:]
    assert len(view) == depth.size - 4
    assert np.isfinite(view.points).all()
    assert np.isfinite(view.normals).all()


def test_a_frame_without_depth_is_an_error_of_that_frame():
    frame = walk(1)[0]
    empty = Frame("f7", frame.depth * 0, None, frame.intrinsics, frame.world_from_camera)
    with pytest.raises(FrameError, match="f7 has no valid depth"):
        to_view(empty)
    with pytest.raises(FrameError, match=r"within 0\.1 m"):
        to_view(frame, max_depth=0.1)


def test_a_sweep_moves_to_the_world_and_keeps_far_points():
    pose = look(0.7, pitch=0.3, position=(10.0, -4.0, 2.0))
    points = np.array([[1, 2, 3], [80, 0, 0]], np.float32)
    normals = np.array([[1, 0, 0], [0, 0, 1]], np.float32)
    colors = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    view = to_view(Sweep("s", PointCloud(points, colors, normals), pose), max_depth=10)
    world = [pose[:3, :3] @ point + pose[:3, 3] for point in points]
    np.testing.assert_allclose(view.cloud.points, world, atol=1e-5)
    np.testing.assert_allclose(view.cloud[:].normals, normals @ pose[:3, :3].T, atol=1e-6)
    np.testing.assert_array_equal(view.cloud[:].colors, colors)
    np.testing.assert_array_equal(view.sensor_up, pose[:3, 2])


def test_thin_keeps_the_point_nearest_to_the_centre_of_each_cell():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, size=(2000, 3)).astype(np.float32)
    cloud = PointCloud(points, rng.integers(0, 255, (2000, 3), np.uint8), points)
    best: dict[tuple, tuple[float, int]] = {}
    for row, point in enumerate(points.astype(np.float64)):
        cell = np.floor(point / 0.25)
        distance = float(np.sum((point / 0.25 - cell - 0.5) ** 2))
        best[tuple(cell)] = min(best.get(tuple(cell), (np.inf, -1)), (distance, row))
    rows = sorted(row for _, row in best.values())
    thinned = thin(cloud, 0.25)
    order = [points.tolist().index(point) for point in thinned.points.tolist()]
    assert sorted(order) == rows
    np.testing.assert_array_equal(thinned.colors, cloud.colors[order])
    np.testing.assert_array_equal(thinned.normals, cloud.normals[order])


def test_thin_keeps_one_of_equal_points():
    cloud = PointCloud(np.zeros((5, 3), np.float32) + np.float32(0.1))
    assert len(thin(cloud, 0.0125)) == 1


@pytest.mark.skipif(not DATA.exists(), reason="the real frames are not in shared/")
@pytest.mark.parametrize("scene", ["redkitchen", "hololens", "sun3d_studyroom/fragment-1"])
def test_real_views_fit_together_in_the_world(scene):
    """Two neighbouring frames agree to centimetres if poses and intrinsics are read correctly."""
    from scipy.spatial import KDTree

    sequence = open_sequence(DATA / scene)
    view0, view1 = (thin(to_view(sequence.read(i)).cloud, 0.03) for i in (10, 11))
    distance, rows = KDTree(view0.points).query(view1.points)
    near = distance < 0.1
    assert near.mean() > 0.6
    offset = ((view1.points - view0.points[rows]) * view0.normals[rows]).sum(axis=1)[near]
    assert np.median(np.abs(offset)) < 0.01
    assert (np.linalg.norm(view1.normals, axis=1) > 0.5).mean() > 0.97
