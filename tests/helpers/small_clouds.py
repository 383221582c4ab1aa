"""Small coloured clouds and a plain camera for tests of pictures."""

from __future__ import annotations

import numpy as np

from pointcontrast.pictures.cameras import Camera
from pointcontrast.pictures.colored_points import ColoredPoints

RED, BLUE = (250, 10, 20), (10, 20, 250)
UP = np.array([0.0, 0.0, 1.0])
AHEAD = Camera(np.eye(4), focal=1.0)  # at the origin, looks along z, 53 degrees high


def cloud(points: list, colors: list | tuple, caption: str = "") -> ColoredPoints:
    points_array = np.array(points, dtype=np.float32).reshape(-1, 3)
    colors_array = np.broadcast_to(np.array(colors, dtype=np.uint8), points_array.shape)
    return ColoredPoints(points_array, colors_array, caption)


def room(rng: np.random.Generator, num_points: int = 4000) -> ColoredPoints:
    """Points on the faces of a 4 x 2 x 1 m box away from the origin."""
    points = rng.uniform(size=(num_points, 3))
    axis = rng.integers(3, size=num_points)
    points[np.arange(num_points), axis] = rng.integers(2, size=num_points)
    points = points * [4, 2, 1] + [5, -3, 2]
    colors = rng.integers(256, size=(num_points, 3)).astype(np.uint8)
    return ColoredPoints(points.astype(np.float32), colors, "room")


def project_slowly(point: np.ndarray, camera: Camera, size: tuple[int, int]) -> np.ndarray:
    x, y, z, _ = np.linalg.inv(camera.world_from_camera) @ [*point, 1.0]
    assert z > 0
    return np.array([size[0] / 2, size[1] / 2]) + camera.focal * size[1] * np.array([x, y]) / z
