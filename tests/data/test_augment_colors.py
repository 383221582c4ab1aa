from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.data.augment_colors import (
    add_color_noise,
    auto_contrast,
    jitter_colors,
    translate_colors,
)


def some_colors(num_colors: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform([10, 60, 90], [100, 220, 245], (num_colors, 3)).astype(np.float32)


def test_color_jitter_is_one_affine_change_a_channel() -> None:
    colors = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3)).astype(np.float32)
    changed = jitter_colors(colors, np.random.default_rng(1), 1.0)
    slopes = []
    for channel in range(3):
        slope, offset = np.polyfit(colors[:, channel], changed[:, channel], 1)
        np.testing.assert_allclose(
            changed[:, channel], slope * colors[:, channel] + offset, atol=1e-5
        )
        assert abs(offset) <= 0.3 + 1e-6
        slopes.append(slope)
    np.testing.assert_allclose(slopes, slopes[0], atol=1e-5)
    assert 0.6 <= slopes[0] <= 1.4
    np.testing.assert_array_equal(jitter_colors(colors, np.random.default_rng(1), 0.0), colors)


def test_contrast_blends_in_the_full_range() -> None:
    colors, before = some_colors(), some_colors()
    low, high = colors.min(axis=0), colors.max(axis=0)
    stretched = (colors - low) / (high - low) * 255
    blends, rng = [], np.random.default_rng(0)
    for _ in range(1000):
        changed = auto_contrast(colors, rng)
        assert changed.dtype == np.float32
        blend = (changed - colors)[0, 0] / (stretched - colors)[0, 0]
        np.testing.assert_allclose(changed, (1 - blend) * colors + blend * stretched, atol=1e-2)
        assert changed.min() > -1e-3
        assert changed.max() < 255.001
        blends.append(blend)
    assert min(blends) > -1e-4
    assert max(blends) < 1.0001
    np.testing.assert_allclose(np.quantile(blends, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.05)
    np.testing.assert_array_equal(colors, before)


def test_contrast_leaves_a_channel_of_one_value() -> None:
    colors = some_colors()
    colors[:, 1] = 40
    changed = auto_contrast(colors, np.random.default_rng(0))
    np.testing.assert_allclose(changed[:, 1], 40, rtol=1e-6)
    assert np.ptp(changed[:, 0]) > np.ptp(colors[:, 0])
    black = np.zeros((4, 3), np.float32)
    np.testing.assert_array_equal(auto_contrast(black, np.random.default_rng(0)), black)


def test_translation_is_one_shift_a_channel() -> None:
    colors, before = some_colors(), some_colors()
    shifts = []
    for seed in range(500):
        shift = translate_colors(colors, np.random.default_rng(seed), 0.02) - colors
        np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-4)
        shifts.append(shift[0])
    np.testing.assert_allclose(np.max(shifts, axis=0), 5.1, atol=0.1)
    np.testing.assert_allclose(np.min(shifts, axis=0), -5.1, atol=0.1)
    assert np.abs(np.corrcoef(np.transpose(shifts)) - np.eye(3)).max() < 0.12
    np.testing.assert_array_equal(colors, before)


def test_noise_is_gaussian_and_its_own_for_each_channel_of_each_colour() -> None:
    colors, before = some_colors(20000), some_colors(20000)
    noise = add_color_noise(colors, np.random.default_rng(0), 0.005) - colors
    np.testing.assert_allclose(noise.std(axis=0), 255 * 0.005, rtol=0.03)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.05)
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.03
    np.testing.assert_array_equal(colors, before)


@pytest.mark.parametrize("change", [translate_colors, add_color_noise])
def test_shifts_and_noise_stay_in_range(change) -> None:
    colors = some_colors()
    changed = np.stack([change(colors, np.random.default_rng(seed), 0.9) for seed in range(20)])
    assert changed.min() == 0
    assert changed.max() == 255
    assert changed.dtype == np.float32
