"""The software renderer against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.pictures.cameras import Camera, look_at
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.pictures.splatting import render
from tests.helpers.small_clouds import AHEAD, BLUE, RED, UP, cloud, project_slowly, room

WHITE = np.array([255, 255, 255])


def drawn_centre(image: np.ndarray) -> np.ndarray:
    """Centre (column, row) of the pixels that are not white, in coordinates of pixel corners."""
    rows, columns = np.nonzero((image != 255).any(axis=-1))
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def test_a_point_straight_ahead_is_the_centre_pixel_in_its_colour() -> None:
    image = render(cloud([[0, 0, 2]], RED), AHEAD, (41, 31), point_radius=0.2)
    np.testing.assert_array_equal(image[15, 20], RED)
    np.testing.assert_array_equal(image[0, 0], WHITE)


@pytest.mark.parametrize("radius_in_pixels", [3.0, 6.0, 10.0])
def test_a_disc_has_the_area_of_a_circle(radius_in_pixels: float) -> None:
    depth, height = 2.0, 101
    point_radius = radius_in_pixels * depth / height
    image = render(cloud([[0, 0, depth]], (0, 0, 0)), AHEAD, (101, height), point_radius)
    covered = (255 - image[..., 0].astype(float)).sum() / 255
    assert covered == pytest.approx(np.pi * radius_in_pixels**2, rel=0.1)


def test_a_disc_shrinks_with_distance() -> None:
    near = render(cloud([[0, 0, 1]], RED), AHEAD, (101, 101), point_radius=0.08)
    far = render(cloud([[0, 0, 2]], RED), AHEAD, (101, 101), point_radius=0.08)
    ratio = (near != 255).any(axis=-1).sum() / (far != 255).any(axis=-1).sum()
    assert ratio == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_nearer_point_wins_in_any_order(order: list[int]) -> None:
    points, colors = np.array([[0, 0, 2.0], [0, 0, 3.0]]), np.array([RED, BLUE])
    image = render(cloud(points[order].tolist(), colors[order].tolist()), AHEAD, (41, 31), 0.1)
    np.testing.assert_array_equal(image[15, 20], RED)


def test_overlapping_discs_of_one_depth_meet_halfway() -> None:
    points = cloud([[-0.1, 0, 2], [0.1, 0, 2]], [RED, BLUE])
    image = render(points, AHEAD, (100, 100), point_radius=0.2)
    np.testing.assert_array_equal(image[50, 48], RED)
    np.testing.assert_array_equal(image[50, 52], BLUE)


def test_points_fall_where_the_pinhole_model_says() -> None:
    rng = np.random.default_rng(0)
    target = room(rng)
    camera = look_at(target.points, UP, azimuth=25, elevation=35)
    for point in target.points[:20]:
        image = render(cloud([point], RED), camera, (320, 240), point_radius=0.03)
        expected = project_slowly(point, camera, (320, 240))
        np.testing.assert_allclose(drawn_centre(image), expected, atol=0.6)


def test_a_camera_that_moves_right_moves_the_picture_left() -> None:
    moved = np.eye(4)
    moved[0, 3] = 0.5
    image = render(cloud([[0, 0, 2]], RED), Camera(moved, focal=1.0), (200, 100), 0.05)
    np.testing.assert_allclose(drawn_centre(image), [100 - 0.5 / 2 * 100, 50], atol=0.6)


def test_points_behind_or_outside_or_on_the_edge_are_harmless() -> None:
    stray = [[0, 0, -2], [0, 0, 0], [50, 0, 1], [0, -50, 1], [0.5, 0.5, 1], [0, 0, 0.051]]
    image = render(cloud(stray[:4], RED), AHEAD, (40, 40), point_radius=5.0)
    assert (image == 255).all()
    edges = [[s * 0.49, t * 0.49, 1] for s in (-1, 1) for t in (-1, 1)] + stray
    image = render(cloud(edges, RED), AHEAD, (40, 40), point_radius=5.0)
    np.testing.assert_array_equal(image[[0, 0, -1, -1], [0, -1, 0, -1]], [RED] * 4)


def test_an_object_before_a_wall_darkens_only_the_wall_around_it() -> None:
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 200), np.linspace(-1, 1, 200)), -1)
    wall = np.concatenate([grid, np.full((200, 200, 1), 2.0)], axis=-1).reshape(-1, 3)
    both = np.concatenate([wall, [[0, 0, 1.5]]])
    image = render(cloud(both.tolist(), (200, 200, 200)), AHEAD, (200, 200), point_radius=0.05)
    assert image[100, 100, 0] == 200  # the object
    assert image[20:40, 20:40].min() == 200  # the flat wall far from it
    assert image[100, 100:120, 0].min() < 150  # its rim


def test_the_same_cloud_gives_the_same_bytes_in_any_row_order() -> None:
    rng = np.random.default_rng(1)
    target = room(rng)
    camera = look_at(target.points, UP)
    image = render(target, camera, (160, 120), 0.03)
    np.testing.assert_array_equal(image, render(target, camera, (160, 120), 0.03))
    shuffled = target[rng.permutation(len(target.points))]
    np.testing.assert_array_equal(image, render(shuffled, camera, (160, 120), 0.03))


def test_segments_are_drawn_over_the_points() -> None:
    wall = cloud([[x / 20, y / 20, 1] for x in range(-20, 21) for y in range(-20, 21)], BLUE)
    line = np.array([[[-0.3, 0, 2], [0.3, 0, 2]], [[0, 0, 2], [0, 0, -2]]], dtype=np.float32)
    colors = np.array([RED, (0, 255, 0)], dtype=np.uint8)
    with_line = ColoredPoints(wall.points, wall.colors, "", line, colors)
    image = render(with_line, AHEAD, (100, 100), point_radius=0.1)
    np.testing.assert_array_equal(image[50, 50], RED)
    np.testing.assert_array_equal(image[50, 80], BLUE)  # 0.3 / 2 * 100 = 15 pixels each side
    assert not (image == [0, 255, 0]).all(axis=-1).any()  # behind the camera: left out
