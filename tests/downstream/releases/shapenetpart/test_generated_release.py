"""Generated shapes: frame and size of ShapeNet, all parts, reproducible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from downstream.releases.shapenetpart.categories import PARTS_OF_CATEGORY, SYNSETS
from pointcontrast.errors import InputError
from tests.helpers.converters import contents
from tests.releases.shapenetpart.release import (
    shape_truth,
    write_shapenetpart_release,
)
from tests.releases.shapenetpart.shapes import parametric_shape
from tests.releases.shapenetpart.solids import arc, plate


@pytest.mark.parametrize("synset", SYNSETS)
def test_a_category_shows_all_its_parts(synset: str):
    parts = PARTS_OF_CATEGORY[SYNSETS.index(synset)]
    seen: set[int] = set()
    for number in range(12):
        solids = parametric_shape(synset, np.random.default_rng(number))
        seen |= {parts.start + part for part, _ in solids}
        vertices = np.concatenate([solid.vertices for _, solid in solids])
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        np.testing.assert_allclose(low + high, 0, atol=1e-9)
        assert np.linalg.norm(high - low) == pytest.approx(1)
        for _, solid in solids:
            assert len(solid.triangles)
            np.testing.assert_allclose(np.linalg.norm(solid.normals, axis=1), 1, atol=1e-6)
    assert seen == set(parts)


def test_y_is_up_and_the_front_is_minus_z():
    """A chair's back is behind its seat, a car's hood is at its front."""
    rng = np.random.default_rng(0)
    solids = parametric_shape("03001627", rng)
    middles = {part: solid.vertices.mean(axis=0) for part, solid in solids}
    assert middles[0][1] > middles[1][1] > middles[2][1]
    assert middles[0][2] > middles[1][2]
    car = {part: solid.vertices.mean(axis=0) for part, solid in parametric_shape("02958343", rng)}
    assert car[1][2] < car[0][2]
    assert car[0][1] > car[1][1] > car[2][1]


def test_a_truth_is_a_pure_function():
    one, same, other = (shape_truth(seed, SYNSETS[3], 1, 200) for seed in (5, 5, 6))
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, same.arrays()[name])
    assert one.id == same.id != other.id
    assert len(one.id) == 32
    assert not np.array_equal(one.coord[:9], other.coord[:9])
    assert 200 * 0.9 < len(one) < 200 * 1.1
    assert one.part is not None
    assert (np.diff(one.part) != 0).sum() > 20  # shuffled


def test_a_release_is_a_pure_function(tmp_path: Path):
    for name in ("a", "b"):
        write_shapenetpart_release(tmp_path / name, 1, 2, num_points=40, synsets=SYNSETS[:3])
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    lines = next((tmp_path / "a" / SYNSETS[0]).iterdir()).read_text().splitlines()
    words = lines[0].split(" ")
    assert len(words) == 7
    assert all(len(word.partition(".")[2]) == 6 for word in words)
    with pytest.raises(InputError, match="must be 1 or more"):
        write_shapenetpart_release(tmp_path / "c", 0)


def test_a_plate_is_closed_and_faces_outwards():
    solid = plate([(0, 0), (2, 0), (2, 1), (0, 1)], -0.5, 0.5)
    corners = solid.vertices[solid.triangles]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.linalg.norm(crosses, axis=1).sum() / 2 == pytest.approx(2 * 2 + 2 * (2 + 1))
    np.testing.assert_allclose(crosses.sum(axis=0), 0, atol=1e-12)
    volume = (crosses * corners[:, 0]).sum() / 6
    assert volume == pytest.approx(2)  # positive: outwards
    directions = crosses / np.linalg.norm(crosses, axis=1, keepdims=True)
    np.testing.assert_allclose(directions, solid.normals[solid.triangles[:, 0]], atol=1e-9)


def test_an_arc_lies_on_its_circle():
    points = arc((1, 2, 3), 0.5, 0, np.pi, (1, 2))
    assert (points[:, 0] == 1).all()
    np.testing.assert_allclose(np.linalg.norm(points - (1, 2, 3), axis=1), 0.5)
    np.testing.assert_allclose(points[[0, 6, 12]], [[1, 2.5, 3], [1, 2, 3.5], [1, 1.5, 3]])
