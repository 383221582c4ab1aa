"""Software renderer of coloured points.

Every point becomes a small disc in a z-buffer, and eye-dome lighting (Boucheny 2009,
"Visualisation scientifique de grands volumes de donnees") darkens a pixel whose neighbours are
nearer to the camera, which shows shapes without normals. Pictures are deterministic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pointcontrast.geometry import point_spacing
from pointcontrast.pictures.cameras import Camera
from pointcontrast.pictures.colored_points import ColoredPoints

SUPERSAMPLING = 2
"""Samples per pixel and axis, averaged in the picture."""
NEAREST_DEPTH = 0.05
"""Metres from the camera below which points are not drawn."""
LARGEST_DISC = 24
"""Largest radius of a disc in samples."""
SHADING_STRENGTH = 6.0
"""Darkness of a step in log depth."""


def render(
    cloud: ColoredPoints,
    camera: Camera,
    size: tuple[int, int] = (1200, 900),
    point_radius: float | None = None,
) -> NDArray[np.uint8]:
    """Render a cloud on white.

    Args:
        cloud: Cloud to draw.
        camera: Camera. Pixel (column, row) covers [column, column + 1) x [row, row + 1), and the
            axis of the camera meets the picture at (width / 2, height / 2).
        size: Width and height in pixels.
        point_radius: Radius of the disc of a point in metres, drawn in perspective with at least
            half a pixel; None takes 0.9 of :func:`~pointcontrast.geometry.point_spacing`.

    Returns:
        Picture (height, width, 3), uint8, RGB.
    """
    width, height = (side * SUPERSAMPLING for side in size)
    if point_radius is None:
        point_radius = 0.9 * point_spacing(cloud.points)
    pixels, depths = _project(cloud.points, camera, (width, height))
    owner = _splat(pixels, depths, camera.focal * height * point_radius, (width, height))
    seen = owner >= 0
    image = np.full((height, width, 3), 255, dtype=np.float32)
    image[seen] = cloud.colors[owner[seen]]
    depth_map = np.full((height, width), np.inf, dtype=np.float32)
    depth_map[seen] = depths[owner[seen]]
    image[seen] *= _eye_dome_shade(depth_map)[seen][:, None]
    if cloud.segments is not None and cloud.segment_colors is not None:
        image = _overlay(image, cloud.segments, cloud.segment_colors, camera)
    blocks = image.reshape(size[1], SUPERSAMPLING, size[0], SUPERSAMPLING, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def _project(
    points: NDArray[np.floating], camera: Camera, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Project points to columns and rows (N, 2) of a picture of ``size``, and depths (N,).

    The pixels of points behind the camera are NaN.
    """
    rotation, position = camera.world_from_camera[:3, :3], camera.world_from_camera[:3, 3]
    local = (np.asarray(points, dtype=np.float64) - position) @ rotation
    depths = np.where(local[:, 2] > NEAREST_DEPTH, local[:, 2], np.nan)
    pixels = camera.focal * size[1] * local[:, :2] / depths[:, None] + np.array(size) / 2
    return pixels, local[:, 2].astype(np.float32)


def _splat(
    pixels: NDArray[np.float64],
    depths: NDArray[np.float32],
    radius_at_one_metre: float,
    size: tuple[int, int],
) -> NDArray[np.int64]:
    """Index of the point that each pixel shows (height, width), int64, -1 if there is none.

    A point covers the pixels within its radius as a shallow bowl, deepest at the rim, so that
    two discs at one depth meet halfway. Depth and row number are packed into one integer, and
    every pixel keeps the smallest: the result does not depend on the order of writing.
    The loop is over the offsets within the largest disc; points are sorted by radius, so that
    the points that cover an offset are the first ones.
    """
    width, height = size
    pad = 2 * LARGEST_DISC  # a disc's centre may be outside the picture by its radius
    limit = np.array(size) + LARGEST_DISC
    near_picture = np.all((pixels >= -LARGEST_DISC) & (pixels < limit), axis=1)
    rows = np.flatnonzero(near_picture)
    rows = rows[np.argsort(depths[rows], kind="stable")]  # nearest first: largest first
    depth = depths[rows].astype(np.float64)
    radius = np.clip(radius_at_one_metre / depth, SUPERSAMPLING / 2, LARGEST_DISC)
    stride = width + 2 * pad
    column, row = (np.floor(pixels[rows]).astype(np.int64) + pad).T
    target = row * stride + column
    buffer = np.full(stride * (height + 2 * pad), np.iinfo(np.uint64).max, dtype=np.uint64)
    bowl_depth = 0.5 * radius * depth / max(radius_at_one_metre, 1e-12)  # half the radius, metres
    reach = int(radius[0]) if len(radius) else 0
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            square = right * right + down * down
            count = int(np.searchsorted(-radius, -np.sqrt(square), side="right"))
            if count == 0:
                continue
            at_offset = depth[:count] + bowl_depth[:count] * square / radius[:count] ** 2
            bits = at_offset.astype(np.float32).view(np.uint32)  # ordered as the depths are
            keys = (bits.astype(np.uint64) << np.uint64(32)) | rows[:count].astype(np.uint64)
            np.minimum.at(buffer, target[:count] + (down * stride + right), keys)
    picture = buffer.reshape(height + 2 * pad, stride)[pad:-pad, pad:-pad]
    owner = (picture & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return np.where(picture == np.iinfo(np.uint64).max, -1, owner)


def _eye_dome_shade(depth_map: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness of each pixel, 0 to 1: lower if its neighbours are nearer to the camera.

    The logarithm makes steps in depth relative, so that far walls are shaded like near ones. The
    contribution of a neighbour is bounded, or outlines would be black.
    """
    height, width = depth_map.shape
    log_depth = np.log(np.minimum(depth_map, 1e6))
    darkness = np.zeros_like(log_depth)
    for reach in (1 * SUPERSAMPLING, 3 * SUPERSAMPLING):
        padded = np.pad(log_depth, reach, constant_values=np.log(1e6))
        for down in (-reach, 0, reach):
            for right in (-reach, 0, reach):
                neighbour = padded[reach + down :, reach + right :][:height, :width]
                darkness += np.clip(log_depth - neighbour, 0, 0.05 * reach)
    return np.exp(-SHADING_STRENGTH * darkness / 16)


def _overlay(
    image: NDArray[np.float32],
    segments: NDArray[np.float32],
    colors: NDArray[np.uint8],
    camera: Camera,
) -> NDArray[np.float32]:
    """Draw lines over a picture, except those that reach behind the camera."""
    height, width = image.shape[:2]
    ends, _ = _project(segments.reshape(-1, 3), camera, (width, height))
    canvas = Image.fromarray(np.rint(image).astype(np.uint8))
    pen = ImageDraw.Draw(canvas)
    thickness = max(SUPERSAMPLING, height // 400)
    for line, color in zip(ends.reshape(-1, 4), colors.tolist(), strict=True):
        if np.isfinite(line).all():
            pen.line(line.tolist(), fill=tuple(color), width=thickness)
    return np.asarray(canvas, dtype=np.float32)
