"""Cameras against a slow pinhole projection."""

from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.pictures.cameras import look_at, look_from_behind
from tests.helpers.small_clouds import UP, project_slowly, room


@pytest.mark.parametrize("elevation", [-90, 0, 40, 90])
@pytest.mark.parametrize("azimuth", [0, 70, 200])
def test_look_at_sees_the_whole_cloud_upright_and_large(azimuth: float, elevation: float) -> None:
    points = room(np.random.default_rng(2)).points
    camera = look_at(points, 3 * UP, azimuth, elevation, aspect=2.0)
    pixels = np.array([project_slowly(point, camera, (200, 100)) for point in points[:500]])
    inside = ((pixels >= 0) & (pixels <= [200, 100])).all(axis=1)
    assert inside.mean() > 0.97
    extent = np.ptp(pixels[inside], axis=0) / [200, 100]
    assert extent.max() > 0.85
    rotation = camera.world_from_camera[:3, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert rotation[:, 0] @ UP == pytest.approx(0, abs=1e-12)  # the horizon is level
    assert -rotation[:, 1] @ UP == pytest.approx(np.cos(np.radians(elevation)), abs=1e-9)
    assert rotation[:, 2] @ UP == pytest.approx(-np.sin(np.radians(elevation)))


def test_look_at_looks_along_the_shorter_side_by_default() -> None:
    camera = look_at(room(np.random.default_rng(2)).points, UP, elevation=0)
    assert abs(camera.world_from_camera[1, 2]) > 0.99  # the box is 4 m along x, 2 m along y


def test_look_from_behind_is_upright_and_sees_all_from_near_the_old_place() -> None:
    pixels = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 20), np.linspace(-0.4, 0.4, 20)), -1)
    depths = np.random.default_rng(3).uniform(1, 3, size=(400, 1))
    local = np.concatenate([pixels.reshape(-1, 2), np.ones((400, 1))], axis=1) * depths
    roll = np.radians(15)
    pose = np.eye(4)  # at (1, 2, 1.5), looks along +y of a world with z up, rolled
    pose[:3, :3] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    pose[:3, :3] @= [
        [np.cos(roll), -np.sin(roll), 0],
        [np.sin(roll), np.cos(roll), 0],
        [0, 0, 1],
    ]
    pose[:3, 3] = [1, 2, 1.5]
    points = local @ pose[:3, :3].T + pose[:3, 3]
    camera = look_from_behind(pose, points, UP)
    assert np.linalg.norm(camera.world_from_camera[:3, 3] - pose[:3, 3]) < 1.0
    assert camera.world_from_camera[1, 3] < 2  # behind
    assert camera.world_from_camera[2, 3] > 1.5  # above
    assert camera.world_from_camera[:3, 0] @ UP == pytest.approx(0, abs=1e-12)
    seen = np.array([project_slowly(point, camera, (400, 300)) for point in points])
    assert ((seen >= 0) & (seen <= [400, 300])).all(axis=1).mean() > 0.98


def test_look_from_behind_straight_down_keeps_the_cameras_own_right() -> None:
    pose = np.diag([1.0, -1.0, -1.0, 1.0])  # looks along -z, its right is x
    points = np.array([[0, 0, -2.0], [0.5, 0.2, -2.0]])
    right = look_from_behind(pose, points, UP).world_from_camera[:3, 0]
    np.testing.assert_allclose(right, [1, 0, 0], atol=1e-12)


def test_nothing_to_look_at_and_no_direction_are_named() -> None:
    empty, one = np.zeros((0, 3), np.float32), np.array([[0, 0, 2]], np.float32)
    with pytest.raises(InputError, match="cloud is empty"):
        look_at(empty, UP)
    with pytest.raises(InputError, match="cloud is empty"):
        look_from_behind(np.eye(4), empty, UP)
    with pytest.raises(InputError, match="not a direction"):
        look_at(one, np.zeros(3))
