import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointcontrast.geometry import (
    point_spacing,
    rigid_problem,
    rotation_about,
    rotation_between,
    sort_by_cell,
    transform_points,
)
from tests.oracles.depth import unproject

UNIT = st.integers(0, 10_000).map(
    lambda seed: (v := np.random.default_rng(seed).normal(size=3)) / np.linalg.norm(v)
)


def test_transform_points_follows_the_homogeneous_product():
    rng = np.random.default_rng(0)
    pose = np.eye(4)
    pose[:3, :3] = rotation_about([1, 2, 3], 0.7)
    pose[:3, 3] = [4, 5, 6]
    points = rng.normal(size=(20, 3)).astype(np.float32)
    expected = (pose @ np.c_[points, np.ones(20)].T).T[:, :3]
    result = transform_points(pose, points)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_rotation_about_is_right_handed():
    np.testing.assert_allclose(
        rotation_about([0, 0, 2], np.pi / 2) @ [1, 0, 0], [0, 1, 0], atol=1e-15
    )


@given(UNIT, UNIT)
def test_rotation_between_is_the_smallest_that_takes_a_to_b(a, b):
    rotation = rotation_between(a, b)
    np.testing.assert_allclose(rotation @ a, b, atol=1e-9)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    turned = np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))
    assert turned == pytest.approx(np.arccos(np.clip(a @ b, -1, 1)), abs=1e-6)


@pytest.mark.parametrize("a", [[0, 0, 1.0], [1.0, 0, 0], [0.6, 0, 0.8]])
def test_rotation_between_equal_and_opposite(a):
    np.testing.assert_array_equal(rotation_between(a, a), np.eye(3))
    half_turn = rotation_between(a, -np.array(a))
    np.testing.assert_allclose(half_turn @ a, -np.array(a), atol=1e-12)
    assert np.linalg.det(half_turn) == pytest.approx(1)


def test_unproject_inverts_the_projection():
    intrinsics = np.array([[50.0, 0.3, 4.1], [0, 60.0, 2.9], [0, 0, 1]])
    depth = np.random.default_rng(0).uniform(1, 3, size=(6, 9))
    points = unproject(depth, intrinsics)
    pixels = points @ intrinsics.T
    rows, columns = np.indices(depth.shape)
    np.testing.assert_allclose(pixels[..., 0] / pixels[..., 2], columns, atol=1e-12)
    np.testing.assert_allclose(pixels[..., 1] / pixels[..., 2], rows, atol=1e-12)
    np.testing.assert_allclose(points[..., 2], depth)


def _pose(change):
    pose = np.eye(4)
    pose[:3, :3] = rotation_about([1, 1, 0], 1.0)
    change(pose)
    return pose


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.eye(3), "shape"),
        (_pose(lambda m: m.__setitem__((0, 3), np.nan)), "NaN"),
        (_pose(lambda m: m.__setitem__((1, 3), -np.inf)), "infinite"),
        (_pose(lambda m: m.__setitem__((3, 0), 1)), "last row"),
        (_pose(lambda m: m.__imul__([[1.01]] * 3 + [[1]])), "orthonormal"),
        (np.diag([1.0, 1, -1, 1]), "mirrors"),
        (np.zeros((4, 4)), "last row"),
    ],
)
def test_rigid_problem_says_what_is_wrong(matrix, reason):
    assert reason in (rigid_problem(matrix) or "nothing")


def test_rigid_problem_accepts_rotations_and_rounding():
    pose = _pose(lambda m: None)
    assert rigid_problem(pose) is None
    assert rigid_problem(np.round(pose, 3)) is None


def test_sort_by_cell_groups_as_a_dictionary_would():
    points = np.random.default_rng(0).uniform(-1, 1, size=(500, 3))
    order, starts = sort_by_cell(points, 0.3, (0.1, 0.2, 0.3))
    groups: dict[tuple, list[int]] = {}
    for row, point in enumerate(points):
        cell = tuple(np.floor((point - (0.1, 0.2, 0.3)) / 0.3).astype(int))
        groups.setdefault(cell, []).append(row)
    found = [part.tolist() for part in np.split(order, starts[1:])]
    assert sorted(found) == sorted(groups.values())


def test_sort_by_cell_of_nothing_and_of_too_much():
    order, starts = sort_by_cell(np.empty((0, 3)), 0.1)
    assert len(order) == len(starts) == 0
    with pytest.raises(ValueError, match="span"):
        sort_by_cell(np.array([[0.0, 0, 0], [1e9, 0, 0]]), 0.01)


@pytest.mark.parametrize("side", [0.01, 0.05])
def test_point_spacing_is_the_side_of_a_grid(side: float) -> None:
    grid = np.stack(np.meshgrid(np.arange(30), np.arange(30), [0]), axis=-1).reshape(-1, 3)
    assert point_spacing(grid * side) == pytest.approx(side)
    assert point_spacing(np.zeros((3, 3))) > 0


def test_numbers_beyond_all_measure_are_no_rotation():
    matrix = np.eye(4)
    matrix[0, :2] = 1e300, -1e300
    assert "not orthonormal" in (rigid_problem(matrix) or "")
