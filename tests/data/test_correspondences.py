from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointcontrast.data import correspondences
from pointcontrast.data.correspondences import find_correspondences
from pointcontrast.scenes.pairs import PAIRS_FILE, read_pairs
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.voxelize import voxelize
from tests.oracles import authors_loader


@pytest.fixture(params=["compiled", "scipy"], autouse=True)
def _kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "scipy":
        monkeypatch.setattr(correspondences, "load_kernels", lambda: None)


def test_equals_the_authors_loop_on_a_pair_of_views(prepared: Path) -> None:
    for pair in read_pairs(prepared / PAIRS_FILE)[::10]:
        store = ViewStore(prepared / pair.scene)
        points = [store[view].points for view in (pair.view0, pair.view1)]
        kept0, kept1 = (p[voxelize(p, 0.05)[0]] for p in points)
        found = find_correspondences(kept0, kept1, 0.075)
        expected = authors_loader.match(kept0, kept1, 0.075)
        expected = expected[np.lexsort((expected[:, 1], expected[:, 0]))]
        np.testing.assert_array_equal(found, expected)
        assert len(found) > 100


def test_sorted_int64_and_many_to_many() -> None:
    points0 = np.array([[0, 0, 0], [5, 5, 5], [0.01, 0, 0]], np.float32)
    points1 = np.array([[0.02, 0, 0], [9, 9, 9], [0, 0.01, 0]], np.float32)
    found = find_correspondences(points0, points1, 0.05)
    assert found.dtype == np.int64
    assert found.tolist() == [[0, 0], [0, 2], [2, 0], [2, 2]]


def test_views_apart_or_empty_have_none() -> None:
    near = np.zeros((4, 3), np.float32)
    far = np.full((4, 3), 10, np.float32)
    for points0, points1 in ((near, far), (near[:0], near), (near, near[:0])):
        assert find_correspondences(points0, points1, 0.1).shape == (0, 2)


def test_bounding_boxes_that_meet_where_no_point_is() -> None:
    points0 = np.array([[0, 0, 0], [1, 1, 1]], np.float32)
    points1 = np.array([[0, 1, 0], [1, 0, 1]], np.float32)
    assert len(find_correspondences(points0, points1, 0.5)) == 0
