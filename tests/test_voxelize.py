from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointcontrast.errors import InputError
from pointcontrast.voxelize import (
    merge_labels,
    voxelize,
    voxelize_frames,
    voxelize_with_inverse,
)


def oracle(points: np.ndarray, voxel_size: float) -> dict[tuple[int, ...], int]:
    first: dict[tuple[int, ...], int] = {}
    for row, point in enumerate(points):
        voxel = tuple(int(v) for v in np.floor(point / points.dtype.type(voxel_size)))
        first.setdefault(voxel, row)
    return first


@pytest.mark.parametrize("voxel_size", [0.025, 0.1, 3.0])
def test_equals_a_loop_over_points(voxel_size: float) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3000, 3)).astype(np.float32)
    rows, coordinates = voxelize(points, voxel_size)
    expected = oracle(points, voxel_size)
    got = {tuple(c): r for c, r in zip(coordinates.tolist(), rows.tolist(), strict=True)}
    assert got == expected
    assert coordinates.dtype == np.int32
    assert rows.dtype == np.int64


def test_no_point_and_one_point() -> None:
    rows, coordinates = voxelize(np.zeros((0, 3), np.float32), 0.1)
    assert rows.shape == (0,)
    assert coordinates.shape == (0, 3)
    rows, coordinates = voxelize(np.array([[-0.05, 0.0, 0.15]], np.float32), 0.1)
    assert rows.tolist() == [0]
    assert coordinates.tolist() == [[-1, 0, 1]]


@pytest.mark.parametrize(
    ("points", "voxel_size", "said"),
    [
        (np.zeros((2, 3), np.float32), 0.0, "voxel_size 0.0"),
        (np.zeros((2, 3), np.float32), float("nan"), "voxel_size nan"),
        (np.array([[0, 0, np.nan]], np.float32), 0.1, "NaN"),
        (np.array([[0, 0, 0], [np.inf, 0, 0]], np.float32), 0.1, "NaN or infinity"),
        (np.array([[0, 0, 0], [1e9, 1e9, 1e9]], np.float32), 0.01, "outlier"),
        (np.array([[0, 0, 0], [0, 0, 1e38]], np.float32), 0.01, r"1e\+38 m from the origin"),
    ],
)
def test_bad_input_is_named(points: np.ndarray, voxel_size: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        voxelize(points, voxel_size)
    with pytest.raises(InputError, match=said):
        voxelize_with_inverse(points, voxel_size)
    with pytest.raises(InputError, match=said):
        voxelize_frames(points, np.zeros(len(points), int), voxel_size)


@pytest.mark.parametrize("num_points", [1, 50])
def test_the_points_given_stay_as_they_are(num_points: int) -> None:
    points = np.random.default_rng(0).normal(size=(num_points, 3)).astype(np.float32)
    before = points.copy()
    voxelize(points, 0.1)
    voxelize_with_inverse(points, 0.1)
    np.testing.assert_array_equal(points, before)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    num_points=st.integers(0, 300),
    voxel_size=st.sampled_from([0.02, 0.3, 1.0, 50.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
    shift=st.sampled_from([0.0, -40.0, 1000.0]),
)
def test_inverse_and_labels_against_a_dictionary(
    seed: int, num_points: int, voxel_size: float, dtype: type, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    points = (rng.normal(size=(num_points, 3)) + shift).astype(dtype)
    points[num_points // 2 :] = np.round(points[num_points // 2 :], 1)  # some twice, some on edges
    rows, coordinates, inverse = voxelize_with_inverse(points, voxel_size)
    for found, expected in zip((rows, coordinates), voxelize(points, voxel_size), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    assert inverse.dtype == np.int64
    first = oracle(points, voxel_size)
    number = {voxel: index for index, voxel in enumerate(first)}  # in the order of the first rows
    voxel_of = np.floor(points / points.dtype.type(voxel_size)).astype(int).tolist()
    assert inverse.tolist() == [number[tuple(voxel)] for voxel in voxel_of]

    labels = rng.integers(-1, 2, num_points).astype(np.int32)
    merged = merge_labels(labels, inverse, len(rows))
    held: dict[int, set] = {index: set() for index in range(len(rows))}
    for voxel, label in zip(inverse.tolist(), labels.tolist(), strict=True):
        held[voxel].add(label)
    assert merged.dtype == np.int32
    assert merged.tolist() == [values.pop() if len(values) == 1 else -1 for values in held.values()]


def test_labels_by_hand() -> None:
    inverse = np.array([0, 0, 1, 1, 2, 2, 3, 3, 3, 4])
    labels = np.array([5, 5, 5, 6, 255, 5, 5, 6, 5, 255])
    # agreement; a conflict; one ignored and one labelled; a conflict that the last hides; ignored
    assert merge_labels(labels, inverse, 5, ignore=255).tolist() == [5, 255, 255, 255, 255]
    assert labels.tolist() == [5, 5, 5, 6, 255, 5, 5, 6, 5, 255]
    # the 6s say nothing: the second and the fourth voxel are left to the 5s; a sixth is all 6
    inverse, labels = np.append(inverse, [5, 5]), np.append(labels, [6, 6])
    merged = merge_labels(labels, inverse, 6, ignore=255, unknown=6)
    assert merged.tolist() == [5, 5, 255, 5, 255, 255]
    assert merge_labels(labels, inverse, 6, ignore=255).tolist() == [5, 255, 255, 255, 255, 6]


def test_frames_are_voxelised_one_by_one() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3)).astype(np.float32)
    times = rng.choice([7, 0, 3], 500).astype(np.int32)
    rows, coordinates, inverse = voxelize_frames(points, times, 0.5)
    assert coordinates.dtype == np.int32
    assert len(np.unique(coordinates, axis=0)) == len(coordinates)
    expected = []
    for time in (0, 3, 7):
        members = np.flatnonzero(times == time)
        first, voxels = voxelize(points[members], 0.5)
        expected += [
            (row, [*voxel, time])
            for row, voxel in zip(members[first].tolist(), voxels.tolist(), strict=True)
        ]
    assert rows.tolist() == [row for row, _ in expected]
    assert coordinates.tolist() == [voxel for _, voxel in expected]
    own = np.floor(points / np.float32(0.5))
    np.testing.assert_array_equal(coordinates[inverse], np.column_stack([own, times]))
    assert voxelize_frames(points[:0], times[:0], 0.5)[1].shape == (0, 4)
