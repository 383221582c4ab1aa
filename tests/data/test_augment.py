from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.data.augment import (
    add_noise,
    free_rotation,
    vertical_rotation,
)


def angles(rotations: np.ndarray) -> np.ndarray:
    trace = np.trace(rotations, axis1=1, axis2=2)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def test_free_rotation_is_the_released_codes() -> None:
    rng = np.random.default_rng(0)
    rotations = np.stack([free_rotation(rng) for _ in range(4000)])
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1),
        np.broadcast_to(np.eye(3), rotations.shape),
        atol=1e-12,
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    # uniform angles: mean 90 degrees; uniform over all rotations it would be 126.5
    assert abs(angles(rotations).mean() - 90) < 2


def test_vertical_rotation_keeps_up_but_for_the_tilts() -> None:
    rng = np.random.default_rng(0)
    upright = np.stack([vertical_rotation(rng, 0.0) for _ in range(200)])
    np.testing.assert_allclose(upright[:, :, 2], np.broadcast_to([0, 0, 1], (200, 3)), atol=1e-12)
    tilt = np.pi / 64
    tilted = np.stack([vertical_rotation(rng, tilt) for _ in range(2000)])
    lean = np.arccos(tilted[:, 2, 2])
    assert lean.max() <= np.sqrt(2) * tilt + 1e-6
    assert lean.max() > 1.2 * tilt
    heading = np.arctan2(upright[:, 1, 0], upright[:, 0, 0])
    assert heading.min() < -3
    assert heading.max() > 3


def test_noise_has_the_asked_for_spread_and_sometimes_none_is_added() -> None:
    features = np.ones((2000, 3), np.float32)
    rng = np.random.default_rng(0)
    noisy = add_noise(features, rng, 0.01, probability=1.0)
    assert noisy.dtype == np.float32
    assert (noisy - 1).std() == pytest.approx(0.01, rel=0.05)
    equal = [np.array_equal(add_noise(features[:2], rng, 0.01), features[:2]) for _ in range(2000)]
    assert 0.03 < np.mean(equal) < 0.07
