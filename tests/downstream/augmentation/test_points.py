from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.linalg import expm

from downstream.augmentation.points import (
    crop_mask,
    dropout_rows,
    flip_horizontally,
    jitter_points,
    rotation_in_random_order,
    stretch,
)


def angles(rotations: np.ndarray) -> np.ndarray:
    trace = np.trace(rotations, axis1=1, axis2=2)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


@pytest.mark.parametrize("max_tilt", [0.0, 0.4])
def test_rotations_come_in_all_six_orders(max_tilt: float) -> None:
    counts = dict.fromkeys(itertools.permutations(range(3)), 0)
    headings, tilts = [], []
    for seed in range(600):
        rotation = rotation_in_random_order(np.random.default_rng(seed), max_tilt, 2.0)
        angles = np.random.default_rng(seed).uniform(-1, 1, 3) * [max_tilt, max_tilt, 2.0]
        about = [expm(np.cross(np.eye(3), angles[axis] * np.eye(3)[axis])) for axis in range(3)]
        fits = [
            order
            for order in counts
            if np.allclose(rotation, about[order[0]] @ about[order[1]] @ about[order[2]])
        ]
        assert fits
        for order in fits:
            counts[order] += 1
        headings.append(angles[2])
        tilts.append(angles[:2])
    if max_tilt:
        assert min(counts.values()) > 70  # 100 expected, standard deviation 9
        assert sum(counts.values()) == 600
        assert max_tilt * 0.98 < np.abs(tilts).max() <= max_tilt
    assert 1.95 < np.max(headings) <= 2
    assert -2 <= np.min(headings) < -1.95


def test_crop_by_hand() -> None:
    points = np.zeros((11, 3), np.float32)
    points[:, 0] = np.arange(11)  # middle 5, crop from 1 to before 9
    kept = crop_mask(points, np.random.default_rng(0), 4.0, (0, 0, 0))
    assert np.flatnonzero(kept).tolist() == list(range(1, 9))
    assert crop_mask(points, np.random.default_rng(0), 10.1, (0, 0, 0)).all()


def test_a_scene_as_large_as_the_limit_is_cropped_and_a_smaller_one_is_not() -> None:
    points = np.zeros((11, 3), np.float32)
    points[:, 1] = np.arange(11)
    share = np.random.default_rng(0).uniform(-1, 1, 3)[1]
    assert share < -0.4
    kept = crop_mask(points, np.random.default_rng(0), 10.0, (0, 2, 0))
    np.testing.assert_array_equal(kept, points[:, 1] < 5 + 2 * share * 10 + 10)
    assert 0 < kept.sum() < 11
    assert crop_mask(points, np.random.default_rng(0), 10.01, (0, 2, 0)).all()


def test_crop_moves_by_shares_of_the_size_along_each_axis() -> None:
    rng = np.random.default_rng(0)
    points = (rng.random((20000, 3)) * [40, 30, 20] - 7).astype(np.float32)
    middles = []
    for seed in range(200):
        kept = points[crop_mask(points, np.random.default_rng(seed), 4.0, (0.2, 0.1, 0.05))]
        assert (np.ptp(kept, axis=0) <= 8).all()
        middles.append((kept.max(axis=0) + kept.min(axis=0)) / 2)
    away = np.abs(np.array(middles) - [13, 8, 3]).max(axis=0)
    np.testing.assert_allclose(away, [8, 3, 1], atol=0.6)


def test_crop_of_a_ring_keeps_it_whole_and_draws_do_not_depend_on_the_points() -> None:
    angle = np.linspace(0, 2 * np.pi, 100)
    ring = (20 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)).astype(np.float32)
    states = []
    for points in (ring, ring[:3] * 0):
        rng = np.random.default_rng(0)
        assert crop_mask(points, rng, 4.0, (0.1, 0.1, 0.1)).all()
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]


def test_dropout_leaves_its_share_in_order() -> None:
    counts = np.zeros(50, int)
    for seed in range(1000):
        rows = dropout_rows(50, np.random.default_rng(seed), 0.2)
        assert len(rows) == 40
        assert (np.diff(rows) > 0).all()
        counts[rows] += 1
    assert counts.min() > 740
    assert counts.max() < 860  # 800 expected, standard deviation 13
    assert len(dropout_rows(7, np.random.default_rng(0), 0.2)) == 5  # int(5.6)
    assert dropout_rows(1, np.random.default_rng(0), 1.0).tolist() == [0]


@pytest.mark.parametrize("dimensions", [3, 4])
def test_flips_mirror_all_but_the_vertical(dimensions: int) -> None:
    coordinates = np.random.default_rng(0).integers(-5, 9, (30, dimensions)).astype(np.int32)
    mirrored = coordinates.max(axis=0) - coordinates
    before = coordinates.copy()
    seen = []
    for seed in range(800):
        flipped, signs = flip_horizontally(coordinates, np.random.default_rng(seed))
        assert flipped.dtype == np.int32
        is_flipped = [
            np.array_equal(flipped[:, axis], mirrored[:, axis]) for axis in range(dimensions)
        ]
        for axis, flip in enumerate(is_flipped):
            expected = mirrored if flip else coordinates
            np.testing.assert_array_equal(flipped[:, axis], expected[:, axis])
        assert signs.tolist() == [-1 if flip else 1 for flip in is_flipped[:3]]
        seen.append(is_flipped)
    share = np.mean(seen, axis=0)
    assert share[2] == 0
    np.testing.assert_allclose(np.delete(share, 2), 0.5, atol=0.06)
    np.testing.assert_array_equal(coordinates, before)


def test_stretching_keeps_normals_at_right_angles() -> None:
    rng = np.random.default_rng(0)
    along, normals = (rng.normal(size=(100, 3)).astype(np.float32) for _ in range(2))
    normals -= along * (np.sum(normals * along, axis=1) / np.sum(along**2, axis=1))[:, None]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals[0] = 0
    factors = []
    for seed in range(300):
        points, leaning = stretch(along, normals, np.random.default_rng(seed), 0.5, 2.0)
        ratio = points / along
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape), rtol=1e-5)
        factors.append(ratio[0])
        assert leaning is not None
        np.testing.assert_allclose(np.sum(points * leaning, axis=1), 0, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(leaning[1:], axis=1), 1, rtol=1e-5)
        assert leaning[0].tolist() == [0, 0, 0]
        assert points.dtype == leaning.dtype == np.float32
    assert np.min(factors) >= 0.5
    assert np.max(factors) <= 2
    np.testing.assert_allclose(np.mean(factors, axis=0), 1.25, atol=0.1)
    assert np.abs(np.corrcoef(np.transpose(factors)) - np.eye(3)).max() < 0.15
    assert stretch(along, None, rng, 0.5, 2.0)[1] is None


def test_jitter_of_points_is_gaussian_and_clipped() -> None:
    points = np.full((20000, 3), 7, np.float32)
    moved = jitter_points(points, np.random.default_rng(0), 0.01, 0.05) - 7
    assert moved.std() == pytest.approx(0.01, rel=0.02)
    assert abs(moved.mean()) < 2e-4
    clipped = jitter_points(points, np.random.default_rng(0), 0.01, 0.012) - 7
    np.testing.assert_allclose(clipped, np.clip(moved, -0.012, 0.012), atol=1e-6)
    assert (points == 7).all()
