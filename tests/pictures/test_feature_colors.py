"""Feature colours against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.pictures.feature_colors import pca_colors


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def skewed_features(rng: np.random.Generator, num_rows: int, num_channels: int) -> np.ndarray:
    """Features whose components have different variances and a long tail each."""
    return rng.gamma(2.0, size=(num_rows, num_channels)) * 2.0 ** -np.arange(num_channels)


def random_orthogonal(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


def test_one_axis_a_channel_gives_that_channels_percentiles(rng: np.random.Generator) -> None:
    features = skewed_features(rng, 2000, 3) * [100.0, 10.0, 1.0]
    features[:, 1] *= -1  # its tail is negative; the sign rule flips it
    tails = features * [1, -1, 1]
    low, high = np.percentile(tails, [1, 99], axis=0)
    expected = 255 * np.clip((tails - low) / (high - low), 0, 1)
    # the sample's principal axes differ from the channels by the sampling error
    difference = np.abs(pca_colors(features) - expected)
    assert np.percentile(difference, 99) < 25
    assert difference.mean() < 6


def test_colours_agree_with_a_singular_value_decomposition(rng: np.random.Generator) -> None:
    features = skewed_features(rng, 500, 8) @ random_orthogonal(rng, 8)
    scores = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)[0][:, :3]
    for channel, score in enumerate(scores.T):
        score = score if (score**3).sum() > 0 else -score
        low, high = np.percentile(score, 1), np.percentile(score, 99)
        expected = np.rint(255 * np.clip((score - low) / (high - low), 0, 1))
        np.testing.assert_allclose(pca_colors(features)[:, channel], expected, atol=1)


def test_rotating_mirroring_scaling_and_moving_feature_space_changes_no_colour(
    rng: np.random.Generator,
) -> None:
    features = skewed_features(rng, 800, 16)
    expected = pca_colors(features).astype(int)
    assert np.ptp(expected, axis=0).min() == 255
    for _ in range(3):
        moved = 7 * features @ random_orthogonal(rng, 16) + rng.normal(size=16)
        np.testing.assert_allclose(pca_colors(moved), expected, atol=1)


def test_a_shared_reference_gives_equal_features_equal_colours(rng: np.random.Generator) -> None:
    features = skewed_features(rng, 600, 8).astype(np.float32)
    whole = pca_colors(features)
    np.testing.assert_array_equal(pca_colors(features[100:250], features), whole[100:250])
    assert (pca_colors(features[100:250]) != whole[100:250]).any()
    assert pca_colors(features[:0], features).shape == (0, 3)


@pytest.mark.parametrize("value", [0.0, 0.3, -1e4])
@pytest.mark.parametrize("num_channels", [1, 2, 32])
def test_constant_features_are_mid_grey(value: float, num_channels: int) -> None:
    features = np.full((20, num_channels), value, dtype=np.float32)
    features[::2] *= np.float32(1 + 1e-7)  # rounding is not a signal
    colors = pca_colors(features)
    assert colors.dtype == np.uint8
    np.testing.assert_array_equal(colors, np.full((20, 3), 128))


def test_fewer_components_than_colours_leave_the_rest_grey(rng: np.random.Generator) -> None:
    colors = pca_colors(skewed_features(rng, 300, 1))
    assert np.ptp(colors[:, 0]) == 255
    np.testing.assert_array_equal(colors[:, 1:], np.full((300, 2), 128))
    line = rng.gamma(2.0, size=(300, 1)) * np.ones((1, 5))  # rank 1 in 5 channels
    np.testing.assert_array_equal(pca_colors(line)[:, 1:], np.full((300, 2), 128))


def test_one_row_is_grey() -> None:
    np.testing.assert_array_equal(pca_colors(np.arange(8.0)[None]), [[128, 128, 128]])


def test_bad_features_are_named() -> None:
    good = np.ones((4, 3))
    with pytest.raises(InputError, match="NaN"):
        pca_colors(np.full((4, 3), np.nan))
    with pytest.raises(InputError, match="NaN"):
        pca_colors(good, np.full((4, 3), np.inf))
    with pytest.raises(InputError, match=r"\(4, 3\).*\(4, 2\)"):
        pca_colors(good, good[:, :2])
    with pytest.raises(InputError, match="no features"):
        pca_colors(good[:0])
