from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem, rotation_about
from pointcontrast.recordings.reconstruction.scan import Scan
from pointcontrast.recordings.reconstruction.simulated_camera import (
    DepthCamera,
    free_places,
    pose_towards,
    visible_rows,
)
from pointcontrast.recordings.reconstruction.simulated_walk import (
    HIGHEST_EYE,
    LOWEST_EYE,
    draw_looks,
    walk,
)
from pointcontrast.types import PointCloud
from tests.helpers.box_world import ROOM, SOLIDS, UP, colors_of, hidden, world_points

SPACING = 0.02
CAMERA = DepthCamera()


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    return world_points(SPACING)


@pytest.fixture(scope="module")
def scan(points: np.ndarray) -> Scan:
    return Scan.of(PointCloud(points, colors_of(points)), UP)


def in_picture(points: np.ndarray, pose: np.ndarray, margin: float) -> np.ndarray:
    """Mask of points that project into the image and the range, with a relative ``margin``."""
    local = (points.astype(np.float64) - pose[:3, 3]) @ pose[:3, :3]
    x, y, z = local.T
    with np.errstate(divide="ignore", invalid="ignore"):
        across, down = np.abs(x / z), np.abs(y / z)
    return (
        (z > CAMERA.nearest * (1 + margin)) & (z < CAMERA.farthest * (1 - margin))
        & (across < (1 - margin) * CAMERA.width / 2 / CAMERA.focal)
        & (down < (1 - margin) * CAMERA.height / 2 / CAMERA.focal)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("eye", "target"),
    [
        ((1.5, 2.0, 1.5), (3.0, 1.5, 1.2)),  # the partition, with the room behind it
        ((2.0, 1.5, 1.6), (1.4, 0.5, 0.7)),  # down on the table
        ((2.2, 3.2, 1.4), (5.0, 1.0, 0.3)),  # through the passage
        ((5.0, 2.0, 1.3), (3.1, 3.0, 1.0)),
    ],
)
def test_what_is_seen_agrees_with_rays(points, eye, target) -> None:
    eye, target = np.array(eye), np.array(target)
    pose = pose_towards(eye, target, UP)
    rows = visible_rows(points, pose, SPACING, CAMERA)
    assert (np.diff(rows) > 0).all()
    assert in_picture(points[rows], pose, -1e-4).all()
    # nothing that is behind a solid is seen, but for a rim of 3 cm at outlines
    wrong = hidden(points[rows], eye, margin=0.03)
    assert wrong.mean() < 0.005
    # and nearly all others are: the missing ones are behind a rim or nearly edge-on
    candidates = np.flatnonzero(in_picture(points, pose, 0.02))
    open_to_view = candidates[~hidden(points[candidates], eye)]
    assert np.isin(open_to_view, rows).mean() > 0.9


def test_a_wall_hides_the_room_behind_it(points) -> None:
    pose = pose_towards(np.array([1.5, 1.2, 1.5]), np.array([3.0, 1.2, 1.5]), UP)
    rows = visible_rows(points, pose, SPACING, CAMERA)
    assert (points[rows][:, 0] <= SOLIDS[0, 0, 0] + 1e-6).all()
    without = points[(points[:, 0] < 2.9) | (points[:, 0] > 3.2)]
    rows = visible_rows(without, pose, SPACING, CAMERA)
    assert (without[rows][:, 0] > 4).any()


def test_pose_is_upright_and_rigid() -> None:
    pose = pose_towards(np.array([1.0, 2, 3]), np.array([4.0, -1, 2]), UP)
    assert rigid_problem(pose) is None
    local = np.linalg.inv(pose) @ [4, -1, 2, 1]
    np.testing.assert_allclose(local[:2], 0, atol=1e-12)
    assert local[2] > 0
    assert pose[2, 0] == pytest.approx(0)  # the picture's right is level
    assert pose[2, 1] < 0  # and its down is down


@pytest.mark.parametrize("turn", [0.0, 1.2])
def test_free_places_are_on_the_floor_and_clear(turn: float) -> None:
    rotation = rotation_about([1.0, 0.3, 0.0], turn)
    points = world_points(0.05)
    places = free_places((points @ rotation.T).astype(np.float32), rotation @ UP, 0.0) @ rotation
    assert len(places) > 50
    np.testing.assert_allclose(places[:, 2], 0, atol=1e-5)
    assert (places[:, :2] > ROOM[0, :2] + 0.3).all()
    assert (places[:, :2] < ROOM[1, :2] - 0.3).all()
    for low, high in SOLIDS:
        gap = np.maximum(low[:2] - places[:, :2], places[:, :2] - high[:2]).max(axis=1)
        assert gap.min() > 0.3
    for side in (places[:, 0] < 2.6, places[:, 0] > 3.5):
        assert side.any()


def test_cameras_stand_in_free_space_and_see_enough(scan: Scan) -> None:
    looks = list(walk(scan, CAMERA, 20, 0.3, np.random.default_rng(0)))
    assert len(looks) == 20
    positions = np.stack([look.world_from_camera[:3, 3] for look in looks])
    assert (positions[:, 2] >= LOWEST_EYE - 0.01).all()
    assert (positions[:, 2] <= HIGHEST_EYE + 0.01).all()
    # it goes to both sides of the partition
    assert (positions[:, 0] < 3).any()
    assert (positions[:, 0] > 3.1).any()
    assert np.mean([np.count_nonzero(look.seen) for look in looks]) > 800
    again = list(walk(scan, CAMERA, 20, 0.3, np.random.default_rng(0)))
    assert all(np.array_equal(a.world_from_camera, b.world_from_camera)
               for a, b in zip(looks, again, strict=True))  # fmt: skip


def test_a_scan_without_a_floor_is_refused() -> None:
    wall = np.random.default_rng(0).uniform(size=(4000, 3)).astype(np.float32) * [0.01, 4, 3]
    scan = Scan.of(PointCloud(wall.astype(np.float32)), UP)
    with pytest.raises(InputError, match="no free floor"):
        draw_looks(scan, CAMERA, 0.3, 5, np.random.default_rng(0))


def test_spacing_of_a_scan(scan: Scan) -> None:
    assert scan.spacing == pytest.approx(SPACING, rel=0.15)
    sparse = Scan.of(PointCloud(world_points(0.1)), UP)
    assert sparse.spacing == pytest.approx(0.1, rel=0.1)
