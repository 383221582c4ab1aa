"""The compiled kernels give the same results as the NumPy and SciPy code, bit for bit."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointcontrast import voxelize
from pointcontrast.compiled.library import SWITCH
from pointcontrast.compiled.points import load_kernels, match
from pointcontrast.data import correspondences
from pointcontrast.data.correspondences import _match_by_trees, find_correspondences


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    library = load_kernels()
    if library is None:
        assert shutil.which("c++") is None, "a compiler exists, but the kernels were not built"
        pytest.skip("no C++ compiler on this machine: the kernels were not built")
    return library


def without(monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]) -> object:
    with monkeypatch.context() as patch:
        for module in (voxelize, correspondences):
            patch.setattr(module, "load_kernels", lambda: None)
        return call()


def bounds(*clouds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate(clouds)
    return points.min(axis=0), points.max(axis=0)


# 0.002: too many voxels for a bit each
@pytest.mark.parametrize("voxel_size", [0.002, 0.02, 0.3, 50.0])
@pytest.mark.parametrize("num_points", [1, 2, 5000])
def test_voxelize(
    library: ctypes.CDLL, num_points: int, voxel_size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = np.random.default_rng(num_points).normal(size=(num_points, 3)).astype(np.float32)
    points = np.concatenate([points, points[::2]])

    def call() -> tuple[np.ndarray, np.ndarray]:
        return voxelize.voxelize(points, voxel_size)

    compiled, plain = call(), without(monkeypatch, call)
    for found, expected in zip(compiled, plain, strict=True):  # pyright: ignore[reportArgumentType]
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    assert (np.diff(compiled[0]) > 0).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    num0=st.integers(1, 400),
    num1=st.integers(1, 400),
    spread=st.sampled_from([0.01, 0.3, 3.0, 100.0]),
    radius=st.sampled_from([0.0375, 0.1, 1.0]),
    shift=st.sampled_from([0.0, 0.05, -40.0]),
)
def test_match(seed: int, num0: int, num1: int, spread: float, radius: float, shift: float) -> None:
    library = load_kernels()
    if library is None:
        pytest.skip("no C++ compiler on this machine: the kernels were not built")
    rng = np.random.default_rng(seed)
    points0 = (rng.normal(size=(num0, 3)) * spread).astype(np.float32)
    points1 = (rng.normal(size=(num1, 3)) * spread + shift).astype(np.float32)
    points1[: num1 // 3] = points0[rng.integers(0, num0, num1 // 3)]  # some at distance 0
    found = match(library, points0, points1, radius, *bounds(points0, points1))
    np.testing.assert_array_equal(found, _match_by_trees(points0, points1, radius))


def test_match_at_exactly_the_radius_on_a_grid(library: ctypes.CDLL) -> None:
    grid = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), axis=-1).reshape(-1, 3) * 0.25
    points = grid.astype(np.float32)  # quarters are exact: neighbours lie at the radius itself
    found = match(library, points, points, 0.25, *bounds(points))
    assert found is not None
    gap = points[found[:, 0]] - points[found[:, 1]]
    assert set(np.abs(gap).sum(axis=1).tolist()) == {0.0, 0.25}
    inner = (np.abs(grid) < 1).all(axis=1)
    assert (np.bincount(found[:, 0])[inner] == 7).all()
    np.testing.assert_array_equal(found, _match_by_trees(points, points, 0.25))


def test_more_matches_than_there_is_room_for_at_first(library: ctypes.CDLL) -> None:
    points = np.random.default_rng(0).uniform(0, 0.01, (60, 3)).astype(np.float32)
    found = match(library, points, points, 1.0, *bounds(points))
    assert found is not None
    assert len(found) == 3600
    np.testing.assert_array_equal(found, _match_by_trees(points, points, 1.0))


def test_clouds_too_wide_for_the_kernel_are_matched_all_the_same(library: ctypes.CDLL) -> None:
    points = np.array([[0, 0, 0], [1e9, 1e9, 1e9]], np.float32)
    assert match(library, points, points, 1e-3, *bounds(points)) is None
    assert find_correspondences(points, points, 1e-3).tolist() == [[0, 0], [1, 1]]


def test_the_switch_turns_them_off() -> None:
    code = "from pointcontrast.compiled.points import load_kernels; print(load_kernels())"
    run = subprocess.run(
        [sys.executable, "-c", code], env={SWITCH: "0"}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "None"
