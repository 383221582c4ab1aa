from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.pictures.feature_matches import match_features


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_matches_are_nearest_in_features_and_judged_in_the_world(rng: np.random.Generator) -> None:
    points = rng.uniform(size=(200, 3)).astype(np.float32)
    features = rng.normal(size=(200, 8)).astype(np.float32)
    order = rng.permutation(200)
    far = points[:50] + 10  # view1 does not see these: they must not be matched
    matches = match_features(
        (np.concatenate([points, far]), np.concatenate([features, features[:50]])),
        (points[order], features[order]),
        num_matches=80,
        tolerance=1e-4,
        rng=rng,
    )
    rows0, rows1 = matches.correspondences.T
    assert len(set(rows0.tolist())) == 80
    assert rows0.max() < 200
    np.testing.assert_array_equal(order[rows1], rows0)
    assert matches.is_right.all()


def test_wrong_features_give_wrong_matches(rng: np.random.Generator) -> None:
    points = rng.uniform(size=(100, 3)).astype(np.float32)
    features = rng.normal(size=(100, 8)).astype(np.float32)
    matches = match_features(
        (points, features),
        (points, np.roll(features, 1, axis=0)),
        num_matches=1000,
        tolerance=1e-4,
        rng=rng,
    )
    rows0, rows1 = matches.correspondences.T
    np.testing.assert_array_equal(rows1, (rows0 + 1) % 100)
    assert len(rows0) == 100
    assert not matches.is_right.any()


def test_views_with_nothing_in_common_are_refused(rng: np.random.Generator) -> None:
    cloud0 = (np.zeros((4, 3)), np.ones((4, 2)))
    cloud1 = (np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(InputError, match="--view"):
        match_features(cloud0, cloud1, num_matches=3, tolerance=0.1, rng=rng)
    with pytest.raises(InputError, match="--num-matches 0"):
        match_features(cloud0, cloud0, num_matches=0, tolerance=0.1, rng=rng)
