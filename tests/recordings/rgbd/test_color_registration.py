"""Colour registered to depth, compared with a loop over pixels and a room of flat colours."""

import numpy as np
import pytest

from pointcontrast.geometry import rotation_about
from pointcontrast.recordings.rgbd.images.color_registration import ColorLookup
from tests.helpers.small_scenes import INTRINSICS, look, render

COLOR = np.array([[61.0, 0, 33.2], [0, 59.0, 23.1], [0, 0, 1]])  # of 70 x 50 pixels
DEPTH = np.array([[30.0, 0, 15.5], [0, 30.0, 11.5], [0, 0, 1]])  # of 32 x 24 pixels


def _lookup(color_from_depth=None, color=COLOR, **changes) -> ColorLookup:
    return ColorLookup(
        **{
            "color_size": (70, 50),
            "depth_size": (32, 24),
            "color_intrinsics": color,
            "depth_intrinsics": DEPTH,
            "color_from_depth": np.eye(4) if color_from_depth is None else color_from_depth,
            **changes,
        }
    )


def _by_loop(lookup: ColorLookup, color: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Register pixel by pixel; ``color`` is reduced."""
    result = np.zeros((*depth.shape, 3), np.uint8)
    width, height = lookup.color_size
    fixed = not lookup.color_from_depth[:3, 3].any()
    for v, u in np.ndindex(depth.shape):
        z = 1.0 if fixed else float(depth[v, u])
        if z <= 0:
            continue
        point = z * np.linalg.inv(lookup.depth_intrinsics) @ [u, v, 1]
        point = lookup.color_from_depth[:3, :3] @ point + lookup.color_from_depth[:3, 3]
        x, y, z = lookup.color_intrinsics @ point
        if z <= 0:
            continue
        x, y = x / z, y / z
        if not (-0.5 - 0.02 * width <= x <= width - 0.5 + 0.02 * width):
            continue
        if not (-0.5 - 0.02 * height <= y <= height - 0.5 + 0.02 * height):
            continue
        nearest_x = min(max(int(np.floor(x + 0.5)), 0), width - 1)
        nearest_y = min(max(int(np.floor(y + 0.5)), 0), height - 1)
        result[v, u] = color[nearest_y // lookup.reduction, nearest_x // lookup.reduction]
    return result


def _moved(translation, angle=0.0) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = rotation_about([0.2, 1, 0.1], angle)
    pose[:3, 3] = translation
    return pose


@pytest.mark.parametrize(
    "color_from_depth",
    [
        np.eye(4),
        _moved([0, 0, 0], 0.1),
        _moved([0.05, 0.01, -0.02]),
        _moved([0.05, 0, 0.3], 0.2),
        _moved([0, 0, -1.5], 0.3),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_equals_a_loop_over_the_pixels(color_from_depth, scale):
    rng = np.random.default_rng(0)
    lookup = _lookup(color_from_depth, COLOR * [[scale], [scale], [1]])
    shape = (-(-50 // lookup.reduction), -(-70 // lookup.reduction), 3)
    color = rng.integers(1, 255, size=shape, dtype=np.uint8)
    depth = rng.uniform(0.5, 4, size=(24, 32)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.2] = 0
    registered = lookup.register(color, depth)
    expected = _by_loop(lookup, color, depth)
    # Projections half-way between two pixels may go either way in float32.
    assert (registered != expected).any(axis=2).mean() < 0.002
    assert registered.any()


def test_two_cameras_of_one_kind_see_the_same():
    rng = np.random.default_rng(0)
    lookup = _lookup(color=DEPTH, color_size=(32, 24))
    color = rng.integers(0, 255, size=(24, 32, 3), dtype=np.uint8)
    assert lookup.reduction == 1
    np.testing.assert_array_equal(lookup.register(color, np.ones((24, 32), np.float32)), color)


@pytest.mark.parametrize(
    ("scale", "reduction"),
    [(0.5, 1), (1, 1), (1.8, 1), (1.99, 2), (2.05, 2), (3.6, 2), (4, 4), (9, 8)],
)
def test_colour_is_reduced_to_about_the_depths_grain(scale, reduction):
    assert _lookup(color=DEPTH * [[scale], [scale], [1]]).reduction == reduction


def test_a_camera_beside_sees_the_walls_of_the_room():
    """The lookup with depth is right where the lookup without depth is not."""
    from_side = np.eye(4)
    from_side[:3, 3] = 0.4, 0.0, 0.0  # the colour camera 40 cm to the left
    pose = look(0.4, -0.3)
    depth_frame = render(pose)
    color_frame = render(pose @ np.linalg.inv(from_side))
    wrong = {}
    for name, transform in (("right", from_side), ("without", np.eye(4))):
        lookup = _lookup(
            transform,
            color=INTRINSICS,
            depth_intrinsics=INTRINSICS,
            color_size=(160, 120),
            depth_size=(160, 120),
        )
        registered = lookup.register(color_frame.color, depth_frame.depth)
        seen = registered.any(axis=2)
        assert seen.mean() > 0.7
        wrong[name] = (registered != depth_frame.color).any(axis=2)[seen].mean()
    assert wrong["right"] < 0.02 < wrong["without"]


def _shifted(lines: float) -> np.ndarray:
    camera = COLOR.copy()
    camera[1, 2] += lines
    return camera


def test_what_is_a_little_beyond_the_image_takes_the_edge_and_what_is_far_is_black():
    color = np.full((50, 70, 3), 9, np.uint8)
    color[0], color[-1] = 7, 8
    size = {"depth_size": (70, 50), "depth_intrinsics": COLOR}
    depth = np.ones((50, 70), np.float32)
    near = _lookup(color=_shifted(-1), **size)
    assert set(np.unique(near.register(color, depth)[0])) == {7}
    far = _lookup(color=_shifted(5), **size)
    registered = far.register(color, depth)
    assert set(np.unique(registered[-4:])) == {0}
    assert set(np.unique(registered[44:46])) == {8}
