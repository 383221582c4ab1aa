from pathlib import Path

import numpy as np
import pytest
from small_scenes import HIGH, LOW, look, render, walk

from pointcontrast.layouts import open_sequence
from pointcontrast.sequence import FrameError
from pointcontrast.types import Frame, PointCloud
from pointcontrast.views import depth_normals, frame_to_view, thin

DATA = Path(__file__).resolve().parents[1] / "../shared/data"


def _wall_normals(points):
    """Inward normal of the nearest wall, and the distance to it."""
    distance = np.concatenate([points - LOW, HIGH - points], axis=1)
    normals = np.concatenate([np.eye(3), -np.eye(3)])
    return normals[distance.argmin(axis=1)], distance


def test_points_lie_on_the_walls_and_normals_are_theirs():
    view = frame_to_view(render(look(0.4)), storage_grid=0)
    assert len(view) == 160 * 120
    expected, distance = _wall_normals(view.points.astype(np.float64))
    assert np.abs(distance.min(axis=1)).max() < 1e-5
    away = np.sort(distance, axis=1)[:, 1] > 0.3  # of the room's edges
    assert away.mean() > 0.4
    assert (view.normals[away] * expected[away]).sum(axis=1).min() > 0.9999


def test_normals_are_unit_or_zero_and_face_the_camera():
    rng = np.random.default_rng(0)
    depth = rng.choice([0, 1.0, 1.01, 1.02, 3.0], size=(60, 80)).astype(np.float32)
    frame = render(look(0.4))
    normals = depth_normals(depth, frame.intrinsics)
    lengths = np.linalg.norm(normals, axis=-1)
    known = lengths > 0
    assert np.isfinite(normals).all()
    np.testing.assert_allclose(lengths[known], 1, atol=1e-5)
    assert not known[depth == 0].any()
    assert 0 < known.sum() < known.size
    only_one = np.zeros((60, 80), np.float32)
    only_one[30, 40] = 2
    assert not depth_normals(only_one, frame.intrinsics).any()


def test_normals_face_the_camera_and_do_not_blend_across_an_edge():
    intrinsics = render(look(0)).intrinsics
    depth = np.full((60, 80), 3.0, np.float32)
    depth[:, 40:] = 1.0
    normals = depth_normals(depth, intrinsics)
    known = np.any(normals != 0, axis=-1)
    assert known.mean() > 0.95
    np.testing.assert_allclose(normals[known], np.tile([0, 0, -1.0], (known.sum(), 1)), atol=1e-3)


def test_depth_that_is_missing_not_finite_or_far_is_dropped():
    frame = render(look(0.4))
    depth = frame.depth.copy()
    depth[0, :4] = 0, np.nan, np.inf, 11
    frame = Frame("f", depth, frame.color, frame.intrinsics, frame.world_from_camera)
    view = frame_to_view(frame, max_depth=10, storage_grid=0)
    assert len(view) == depth.size - 4
    assert np.isfinite(view.points).all()
    assert np.isfinite(view.normals).all()


def test_a_frame_without_depth_is_an_error_of_that_frame():
    frame = walk(1)[0]
    empty = Frame("f7", frame.depth * 0, None, frame.intrinsics, frame.world_from_camera)
    with pytest.raises(FrameError, match="f7 has no valid depth"):
        frame_to_view(empty)
    with pytest.raises(FrameError, match=r"within 0\.1 m"):
        frame_to_view(frame, max_depth=0.1)


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


@pytest.mark.skipif(not DATA.exists(), reason="the real frames are not beside the checkout")
@pytest.mark.parametrize("scene", ["redkitchen", "hololens", "sun3d_studyroom/fragment-1"])
def test_real_views_fit_together_in_the_world(scene):
    """Two neighbouring frames must agree to centimetres, or poses and intrinsics are misread."""
    from scipy.spatial import KDTree

    sequence = open_sequence(DATA / scene)
    view0, view1 = (frame_to_view(sequence.read(i), storage_grid=0.03) for i in (10, 11))
    distance, rows = KDTree(view0.points).query(view1.points)
    near = distance < 0.1
    assert near.mean() > 0.6
    offset = ((view1.points - view0.points[rows]) * view0.normals[rows]).sum(axis=1)[near]
    assert np.median(np.abs(offset)) < 0.01
    assert (np.linalg.norm(view1.normals, axis=1) > 0.5).mean() > 0.97
