"""Overlaps, compared with the authors' loop, with all distances, and without compiled kernels."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pointcontrast.compiled.overlap import load_overlap_kernels
from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.scenes import overlap_exact, overlap_fast, voxel_means
from pointcontrast.scenes.overlap import OverlapMode, Overlaps, overlap_matrix
from pointcontrast.scenes.overlap_exact import count_matched
from pointcontrast.scenes.overlap_fast import CELLS, REACH, count_nearly_matched
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.types import PointCloud
from tests.oracles.overlap import down_sample, overlap_of_two

Clouds = list[NDArray[np.float32]]
MODES: tuple[OverlapMode, ...] = ("fast", "exact")


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    library = load_overlap_kernels()
    if library is None:
        assert shutil.which("c++") is None, "a compiler exists, but the kernels were not built"
        pytest.skip("no C++ compiler on this machine: the kernels were not built")
    return library


@pytest.fixture(scope="module")
def kitchen(real_data: Path) -> Clouds:
    """Twenty full-resolution views of a real kitchen."""
    sequence = open_sequence(real_data / "redkitchen")
    return [to_view(sequence.read(i)).cloud.points for i in range(0, 100, 5)]


def make_clouds(kind: str, seed: int, count: int) -> Clouds:
    """Views of one kind, near each other."""
    rng = np.random.default_rng(seed)
    clouds = []
    for _ in range(count):
        size = int(rng.integers(1, 300))
        points = rng.uniform(-0.4, 0.4, (size, 3)) + rng.uniform(-0.3, 0.3, 3)
        if kind == "clusters":
            points = rng.uniform(-0.3, 0.3, (4, 3))[rng.integers(0, 4, size)]
            points = points + rng.normal(scale=0.02, size=(size, 3))
        elif kind == "duplicates":
            points = points[rng.integers(0, max(size // 10, 1), size)]
        elif kind == "one point":
            points = points[:1]
        elif kind == "far":  # float32 has millimetres there
            points = points + np.array([1e4, -1e4, 3.0])
        elif kind == "far apart":
            points[: size // 2] += 1e4
        elif kind == "borders":  # of voxels and cells, and distances of just the radius
            points = rng.integers(-12, 12, (size, 3)) * 0.025
        elif kind == "binary borders":
            points = rng.integers(-12, 12, (size, 3)) * 0.03125
        elif kind == "below zero":
            points = points - 7
        clouds.append(points.astype(np.float32))
    return clouds


KINDS = (
    "uniform", "clusters", "duplicates", "one point", "far", "far apart", "borders",
    "binary borders", "below zero",
)  # fmt: skip


def matrix_of(clouds: Clouds, mode: OverlapMode, voxel_size: float = 0.05) -> NDArray[np.float32]:
    return overlap_matrix([PointCloud(cloud) for cloud in clouds], mode, voxel_size)


def without_kernels(monkeypatch: pytest.MonkeyPatch, call: Callable[[], NDArray]) -> NDArray:
    with monkeypatch.context() as patch:
        for module in (voxel_means, overlap_exact, overlap_fast):
            patch.setattr(module, "load_overlap_kernels", lambda: None)
        return call()


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS), seed=st.integers(0, 10**6), voxel=st.sampled_from([0.05, 0.0625])
)
def test_exact_is_the_authors(kind: str, seed: int, voxel: float) -> None:
    clouds = make_clouds(kind, seed, 4)
    matrix = matrix_of(clouds, "exact", voxel)
    for i in range(4):
        for j in range(4):
            expected = overlap_of_two(clouds[i], clouds[j], voxel)
            assert matrix[i, j] == np.float32(expected)


@pytest.mark.parametrize("frames", [(0, 10, 20), (4, 30, 60)])
@pytest.mark.parametrize("scene", ["redkitchen", "hololens"])
def test_exact_is_the_authors_on_real_frames(
    real_data: Path, scene: str, frames: tuple[int, ...]
) -> None:
    sequence = open_sequence(real_data / scene)
    clouds = [to_view(sequence.read(i)).cloud.points for i in frames]
    matrix = matrix_of(clouds, "exact")
    for i in range(3):
        for j in range(i + 1, 3):
            assert matrix[i, j] == np.float32(overlap_of_two(clouds[i], clouds[j]))
    assert 0 < matrix[0, 1:].max() < 1


@pytest.mark.parametrize("num_views", [1, 3, 64, 65, 130, 400, 520])
@pytest.mark.parametrize("count", [count_matched, count_nearly_matched])
def test_compiled_counts_are_those_without(
    library: ctypes.CDLL,
    monkeypatch: pytest.MonkeyPatch,
    num_views: int,
    count: Callable[..., NDArray],
) -> None:
    # more views than a word of bits, than a block of words
    rng = np.random.default_rng(num_views)
    centers = rng.uniform(-0.4, 0.4, (num_views, 1, 3))
    clouds = [at + rng.uniform(-0.2, 0.2, (int(rng.integers(1, 40)), 3)) for at in centers]
    compiled = count(clouds, 0.075)
    plain = without_kernels(monkeypatch, lambda: count(clouds, 0.075))
    np.testing.assert_array_equal(compiled, plain)
    assert compiled.dtype == plain.dtype == np.int64
    assert num_views < 64 or np.triu(compiled, 1).max() > 0


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 10**6), mode=st.sampled_from(MODES))
def test_compiled_overlaps_are_those_without(kind: str, seed: int, mode: OverlapMode) -> None:
    clouds = make_clouds(kind, seed, 6)
    compiled = matrix_of(clouds, mode)
    plain = without_kernels(pytest.MonkeyPatch(), lambda: matrix_of(clouds, mode))
    np.testing.assert_array_equal(compiled, plain)


@pytest.mark.parametrize("mode", MODES)
def test_compiled_overlaps_are_those_without_on_real_frames(
    kitchen: Clouds, monkeypatch: pytest.MonkeyPatch, mode: OverlapMode
) -> None:
    plain = without_kernels(monkeypatch, lambda: matrix_of(kitchen[:5], mode))
    np.testing.assert_array_equal(matrix_of(kitchen[:5], mode), plain)


def test_fast_counts_are_what_they_say(library: ctypes.CDLL) -> None:
    """Move each point to the mean of its cell, then compute all distances."""
    rng = np.random.default_rng(5)
    clouds = [rng.uniform(-0.3, 0.3, (150, 3)) + at for at in rng.uniform(-0.2, 0.2, (5, 3))]
    points = np.concatenate(clouds)
    cells = np.floor((points - points.min(axis=0)) / (0.075 / CELLS))
    moved = np.stack([points[(cells == cell).all(axis=1)].mean(axis=0) for cell in cells])
    parts = np.split(moved, 5)
    expected = [
        [(np.linalg.norm(a[:, None] - b, axis=2).min(axis=1) < REACH * 0.075).sum() for b in parts]
        for a in parts
    ]
    np.testing.assert_array_equal(count_nearly_matched(clouds, 0.075), expected)


def test_fast_is_nearly_exact_on_real_frames(kitchen: Clouds) -> None:
    """Of all pairs of its 100 views 99.9 % agree; one of these 190 may differ."""
    pairs = np.triu_indices(len(kitchen), 1)
    fast, exact = (matrix_of(kitchen, mode)[pairs] for mode in MODES)
    assert ((fast >= 0.3) != (exact >= 0.3)).sum() <= 1
    error = fast - exact
    assert np.abs(error).mean() < 0.003
    assert np.abs(error).max() < 0.015
    assert abs(error.mean()) < 0.0015
    assert 0.1 < (exact >= 0.3).mean() < 0.9


@pytest.mark.parametrize("mode", MODES)
def test_the_matrix_is_symmetric_and_follows_the_order_of_the_views(mode: OverlapMode) -> None:
    clouds = make_clouds("uniform", 1, 9)
    matrix = matrix_of(clouds, mode)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    order = np.random.default_rng(0).permutation(9)
    shuffled = matrix_of([clouds[i][::-1] for i in order], mode)
    np.testing.assert_array_equal(shuffled, matrix[np.ix_(order, order)])
    assert len(np.unique(matrix)) > 9


@pytest.mark.parametrize("mode", MODES)
def test_a_part_overlaps_its_whole_fully_and_the_far_not_at_all(mode: OverlapMode) -> None:
    rng = np.random.default_rng(2)
    plane = np.c_[rng.uniform(0, 2, (20_000, 2)), np.zeros(20_000)].astype(np.float32)
    half = plane[plane[:, 0] < 1]
    matrix = matrix_of([plane, half, plane + np.float32(5)], mode)
    assert matrix[0, 1] == 1  # the larger direction: every point of the half is matched
    assert matrix[0, 2] == matrix[1, 2] == 0


def test_a_point_at_the_radius_is_not_matched() -> None:
    # eighths are exact
    counts = count_matched([np.zeros((1, 3)), np.array([[0.125, 0, 0], [0, 0.1249, 0]])], 0.125)
    np.testing.assert_array_equal(counts, [[1, 1], [1, 2]])
    counts = count_matched([np.zeros((1, 3)), np.array([[0.125, 0, 0]])], 0.125)
    np.testing.assert_array_equal(counts, np.eye(2))


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_voxel_means_are_open3d_s_to_the_bit(
    kitchen: Clouds, monkeypatch: pytest.MonkeyPatch, order: str, plain: bool
) -> None:
    rng = np.random.default_rng(0)
    for points in (kitchen[0], rng.uniform(-3, 2, (1, 3)), rng.uniform(-3, 2, (4099, 3))):
        points = np.array(points, np.float32, order=order)  # pyright: ignore
        expected = np.asarray(down_sample(points).points)

        def call(points: NDArray[np.float32] = points) -> NDArray:
            return voxel_means.voxel_means(points, 0.05)

        found = without_kernels(monkeypatch, call) if plain else call()
        np.testing.assert_array_equal(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])
    np.testing.assert_array_equal(voxel_means.voxel_means(points[::3, ::-1], 0.05).shape[1], 3)


def test_voxel_means_of_a_view_into_another_array() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (900, 7)).astype(np.float32)
    part = points[::3, 5:2:-1]
    np.testing.assert_array_equal(
        voxel_means.voxel_means(part, 0.1), voxel_means.voxel_means(part.copy(), 0.1)
    )


@pytest.mark.parametrize("mode", MODES)
def test_progress_is_told_of_every_view(mode: OverlapMode, monkeypatch: pytest.MonkeyPatch) -> None:
    overlaps = Overlaps(mode)
    for cloud in make_clouds("uniform", 0, 5):
        overlaps.add(cloud)
    calls: list[int] = []
    overlaps.matrix(lambda: calls.append(1))
    assert len(calls) == 5
    without_kernels(monkeypatch, lambda: overlaps.matrix(lambda: calls.append(1)))
    assert len(calls) == 10


def test_no_views_have_no_overlaps() -> None:
    assert Overlaps().matrix().shape == (0, 0)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("points", "message"), [
    (np.zeros((0, 3), np.float32), r"must have points.*\(0, 3\)"),
    (np.zeros((5, 2), np.float32), r"must have points.*\(5, 2\)"),
    (np.array([[0, 0, 0], [np.nan, 0, 0]], np.float32), "1 of a view's 2 points.*row 1"),
    (np.array([[0, 0, 0]] * 9 + [[0, np.inf, 0]], np.float32), "1 of a view's 10.*row 9"),
    (np.array([[0, 0, -np.inf], [0, 0, 0]], np.float32), "not finite.*row 0"),
    (np.array([[0, 0, 0], [0, 2e5, 0]], np.float32), "spans 200000 m"),
])  # fmt: skip
def test_bad_views(
    points: NDArray[np.float32], message: str, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if plain:
        monkeypatch.setattr(voxel_means, "load_overlap_kernels", lambda: None)
    with pytest.raises(InputError, match=message):
        Overlaps().add(points)


def test_bad_settings() -> None:
    with pytest.raises(InputError, match="above 0 m; got 0"):
        Overlaps("fast", 0)
    with pytest.raises(InputError, match=r"got 0\.05, nan"):
        Overlaps("exact", 0.05, float("nan"))
    with pytest.raises(InputError, match="'quick' is no overlap mode"):
        Overlaps("quick")  # pyright: ignore[reportArgumentType]
    overlaps = Overlaps()
    overlaps.add(np.zeros((1, 3), np.float32))
    overlaps.add(np.full((1, 3), 1e5, np.float32))
    with pytest.raises(InputError, match="span 100000 m"):
        overlaps.matrix()
