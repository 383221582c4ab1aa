from pathlib import Path

import numpy as np
import pytest
from oracles.overlap import overlap_of_two

from pointcontrast.overlap import count_matched, overlap_matrix, voxel_means
from pointcontrast.layouts import open_sequence
from pointcontrast.types import PointCloud
from pointcontrast.views import frame_to_view

DATA = Path(__file__).resolve().parents[1] / "../shared/data"


def _clouds(rng, count=6):
    centers = rng.uniform(-1, 1, size=(count, 3))
    return [rng.uniform(-0.6, 0.6, size=(rng.integers(50, 400), 3)) + at for at in centers]


def test_counts_are_those_of_all_distances():
    rng = np.random.default_rng(0)
    clouds = _clouds(rng)
    expected = [
        [(np.linalg.norm(a[:, None] - b[None], axis=2).min(axis=1) < 0.075).sum() for b in clouds]
        for a in clouds
    ]
    counts = count_matched(clouds, 0.075)
    np.testing.assert_array_equal(counts, expected)
    assert 0 < counts[0, 1:].max() < len(clouds[0])  # neither all nor nothing


def test_voxel_means_are_open3d_s():
    import open3d as o3d

    points = np.random.default_rng(0).uniform(-3, 2, size=(3000, 3))
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    expected = np.asarray(cloud.voxel_down_sample(0.4).points)
    found = voxel_means(points, 0.4)
    np.testing.assert_allclose(
        found[np.lexsort(found.T)], expected[np.lexsort(expected.T)], atol=1e-12
    )


def test_the_matrix_is_symmetric_with_a_unit_diagonal():
    rng = np.random.default_rng(1)
    views = [PointCloud(cloud.astype(np.float32)) for cloud in _clouds(rng)]
    calls = []
    matrix = overlap_matrix(views, progress=lambda: calls.append(1))
    assert matrix.dtype == np.float32
    assert len(calls) == len(views)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)


def test_a_part_overlaps_its_whole_fully_and_the_far_not_at_all():
    rng = np.random.default_rng(2)
    plane = np.c_[rng.uniform(0, 2, size=(20_000, 2)), np.zeros(20_000)].astype(np.float32)
    half = plane[plane[:, 0] < 1]
    views = [PointCloud(each) for each in (plane, half, plane + np.float32(5))]
    matrix = overlap_matrix(views)
    assert matrix[0, 1] == 1  # the larger direction: every point of the half is matched
    assert matrix[0, 2] == matrix[1, 2] == 0


def test_views_that_are_moved_together_overlap_as_before():
    rng = np.random.default_rng(3)
    clouds = _clouds(rng)
    moved = [cloud + np.array([100.3, -70.1, 20.7]) for cloud in clouds]
    np.testing.assert_array_equal(count_matched(moved, 0.075), count_matched(clouds, 0.075))


@pytest.mark.skipif(not DATA.exists(), reason="the real frames are not beside the checkout")
@pytest.mark.parametrize(
    ("scene", "frames"), [("redkitchen", (10, 14, 25)), ("hololens", (60, 61, 66))]
)
def test_real_pairs_are_exactly_the_authors(scene, frames):
    sequence = open_sequence(DATA / scene)
    views = [frame_to_view(sequence.read(i), np.inf, 0) for i in frames]
    matrix = overlap_matrix(views)
    for i in range(3):
        for j in range(i + 1, 3):
            expected = overlap_of_two(views[i].points, views[j].points)
            assert matrix[i, j] == np.float32(expected)
    assert matrix.min() < 0.9
    assert matrix[0, 1] > 0.3
