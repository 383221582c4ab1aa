from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from downstream.label_lists.point_choice import clustered_points, limited_points, points_rng
from pointcontrast.errors import InputError


def some_labels() -> NDArray[np.int32]:
    found = np.random.default_rng(0).integers(-1, 5, 3000).astype(np.int32)
    found[:100] = -1
    return found


def some_cloud(num_points: int = 3000) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        "coord": rng.uniform(0, 5, (num_points, 3)).astype(np.float32),
        "color": rng.integers(0, 256, (num_points, 3)).astype(np.uint8),
    }


def test_points_are_labelled_nested_and_of_their_scene_alone() -> None:
    labels = some_labels()
    chosen = [limited_points(labels, n, points_rng(1, "scene0000_00")) for n in (20, 50, 200)]
    assert [len(np.unique(rows)) for rows in chosen] == [20, 50, 200]
    assert set(chosen[0]) < set(chosen[1]) < set(chosen[2])
    assert (labels[chosen[2]] >= 0).all()
    assert (np.diff(chosen[2]) > 0).all()
    again = limited_points(labels, 20, points_rng(1, "scene0000_00"))
    np.testing.assert_array_equal(again, chosen[0])
    for other in (points_rng(1, "scene0001"), points_rng(2, "scene0000_00")):
        assert not np.array_equal(chosen[0], limited_points(labels, 20, other))


def test_every_labelled_point_is_as_likely() -> None:
    labels = np.array([-1, 0, 1, 2] * 10, np.int32)
    counts = np.zeros(len(labels))
    for seed in range(3000):
        counts[limited_points(labels, 6, points_rng(seed, "a"))] += 1
    # 3000 draws of 6 of 30: 600 each, standard deviation 21.9
    assert np.abs(counts[labels >= 0] - 600).max() < 5 * 21.9
    assert (counts[labels < 0] == 0).all()


def test_where_there_are_fewer_all_are_chosen() -> None:
    few = np.array([-1, 2, -1, 0], np.int32)
    np.testing.assert_array_equal(limited_points(few, 20, points_rng(0, "a")), [1, 3])
    found = clustered_points(few, 20, points_rng(0, "a"), **some_cloud(4))
    np.testing.assert_array_equal(found, [1, 3])
    assert len(limited_points(np.full(5, -1, np.int32), 20, points_rng(0, "a"))) == 0


@pytest.mark.parametrize("number", [0, -5])
def test_no_point_is_no_choice(number: int) -> None:
    with pytest.raises(InputError, match=f"{number} annotated points must be at least 1"):
        limited_points(some_labels(), number, points_rng(0, "a"))
    with pytest.raises(InputError, match=f"{number} annotated points must be at least 1"):
        clustered_points(some_labels(), number, points_rng(0, "a"), **some_cloud())


def test_clustered_points_are_labelled_and_of_their_scene_alone() -> None:
    labels = some_labels()
    found = clustered_points(labels, 200, points_rng(1, "scene0000_00"), **some_cloud())
    assert len(np.unique(found)) == 200
    assert (labels[found] >= 0).all()
    assert (np.diff(found) > 0).all()
    again = clustered_points(labels, 200, points_rng(1, "scene0000_00"), **some_cloud())
    np.testing.assert_array_equal(found, again)
    other = clustered_points(labels, 200, points_rng(1, "scene0001_00"), **some_cloud())
    assert not np.array_equal(found, other)


def test_one_cluster_is_near_the_mean_of_labelled_points() -> None:
    labels, cloud = some_labels(), some_cloud()
    coord, color = (cloud[name][labels >= 0].astype(np.float64) for name in ("coord", "color"))
    place, tint = (np.square(values - values.mean(axis=0)).sum(axis=1) for values in (coord, color))
    nearest = np.argmin(place / place.mean() + tint / tint.mean())
    found = clustered_points(labels, 1, points_rng(0, "a"), **cloud)
    assert found == np.flatnonzero(labels >= 0)[nearest]


def groups_of_points(part: str) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """25,000 points in four groups, one after another, that differ in one array only."""
    rng = np.random.default_rng(0)
    heaps = np.arange(25_000) // 6250
    cloud: dict[str, Any] = {
        "coord": rng.normal(0, 0.01, (25_000, 3)).astype(np.float32),
        "color": np.full((25_000, 3), 128, np.uint8),
        "features": np.zeros((25_000, 16), np.float32),
    }
    if part == "color":
        cloud["color"][:, 1] = heaps * 60
    else:
        cloud[part][:, 1] = heaps
    if part != "coord":
        cloud["coord"][:] = 0
    return cloud, heaps


@pytest.mark.parametrize("part", ["coord", "color", "features"])
def test_positions_colours_and_features_define_clusters(part: str) -> None:
    cloud, heaps = groups_of_points(part)
    labels = np.zeros(len(heaps), np.int32)
    found = clustered_points(labels, 40, points_rng(0, "a"), **cloud)
    assert len(np.unique(found)) == 40
    assert set(heaps[found]) == {0, 1, 2, 3}


def test_clusters_are_even_where_points_are_not() -> None:
    # nine of ten points lie in one corner; by chance it would get nine of ten
    rng = np.random.default_rng(0)
    crowded = rng.random(6000) < 0.9
    coord = np.where(crowded[:, None], rng.uniform(0, 0.3, (6000, 3)), rng.uniform(0, 3, (6000, 3)))
    color = np.zeros((6000, 3), np.uint8)
    labels = np.zeros(6000, np.int32)
    found = clustered_points(labels, 50, points_rng(0, "a"), coord=coord, color=color)
    by_chance = limited_points(labels, 50, points_rng(0, "a"))
    assert crowded[found].mean() < 0.5 < 0.8 < crowded[by_chance].mean()


def test_units_do_not_matter() -> None:
    labels, cloud = some_labels(), some_cloud()
    found = clustered_points(labels, 20, points_rng(0, "a"), **cloud)
    cloud["coord"] = cloud["coord"] * 1024
    again = clustered_points(labels, 20, points_rng(0, "a"), **cloud)
    np.testing.assert_array_equal(found, again)


def test_identical_points_are_still_as_many_as_asked_for() -> None:
    labels = np.zeros(50, np.int32)
    coord, color = np.ones((50, 3), np.float32), np.zeros((50, 3), np.uint8)
    found = clustered_points(labels, 20, points_rng(0, "a"), coord=coord, color=color)
    assert len(np.unique(found)) == 20


def test_arrays_of_other_points_are_refused() -> None:
    cloud, features = some_cloud(), np.zeros((7, 2), np.float32)
    with pytest.raises(InputError, match="features has 7 rows for 3000 points"):
        clustered_points(some_labels(), 20, points_rng(0, "a"), **cloud, features=features)
