"""Draw coloured point clouds: an Open3D window, a PNG drawn in software, PLY files.

A machine without a display needs nothing beyond NumPy and Pillow: every point becomes a small
disc in a z-buffer, and eye-dome lighting (Boucheny 2009, "Visualisation scientifique de grands
volumes de donnees") darkens a pixel whose neighbours are nearer to the camera, which shows
shapes without normals. The same input always gives the same picture, byte for byte.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from plyfile import PlyData, PlyElement
from scipy.spatial import KDTree

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file

Window = Literal["auto", "always", "never"]

SUPERSAMPLING = 2  # samples per pixel and axis, averaged into the final picture
NEAREST_DEPTH = 0.05  # metres; what is nearer to the camera is not drawn
LARGEST_DISC = 24  # samples; the radius of the discs of points right in front of the camera
SHADING_STRENGTH = 6.0  # how dark a step in log depth becomes
GAP = 12  # pixels between two panels


@dataclass(frozen=True)
class ColoredPoints:
    """A point cloud ready to be drawn, one panel of a picture.

    Attributes:
        points: (N, 3) float32 world metres.
        colors: (N, 3) uint8 RGB.
        caption: the line written above the panel.
        segments: (L, 2, 3) float32 world metres, the ends of lines (matches, edges of boxes).
        segment_colors: (L, 3) uint8 RGB; given together with ``segments``.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    caption: str = ""
    segments: NDArray[np.float32] | None = None
    segment_colors: NDArray[np.uint8] | None = None

    def __getitem__(self, rows: NDArray) -> ColoredPoints:
        """The points at ``rows`` (indices or a mask), with the same caption and segments."""
        return ColoredPoints(
            self.points[rows], self.colors[rows], self.caption, self.segments, self.segment_colors
        )


@dataclass(frozen=True)
class Camera:
    """A pinhole camera whose axis goes through the centre of the picture.

    Attributes:
        world_from_camera: (4, 4) float64 rigid transform, metres; x right, y down, z forward.
        focal: focal length as a fraction of the picture's height.
    """

    world_from_camera: NDArray[np.float64]
    focal: float = 1.2


def look_at(
    points: NDArray[np.floating],
    up: NDArray[np.floating],
    azimuth: float = 0.0,
    elevation: float = 40.0,
    *,
    aspect: float = 4 / 3,
    focal: float = 1.2,
) -> Camera:
    """The camera outside a cloud that sees all of it, as large as possible.

    Args:
        points: (N, 3) world metres, N >= 1. The outermost 0.5 % on each side may leave the
            picture, so that stray points do not shrink the rest.
        up: (3,) the scene's up direction in the world frame, of any length.
        azimuth: degrees about ``up``. At 0 the camera looks along the shorter horizontal side of
            the cloud, so that the longer one fills the width.
        elevation: degrees above the horizon that the camera stands at, -90..90.
        aspect: width of the picture divided by its height.
        focal: see :class:`Camera`.

    Raises:
        InputError: the cloud is empty, or ``up`` is zero.
    """
    points, vertical = _points_and_vertical(points, up)
    ahead = _shorter_horizontal_axis(points, vertical)
    turn, tilt = np.radians(azimuth), np.radians(elevation)
    ahead = np.cos(turn) * ahead + np.sin(turn) * np.cross(vertical, ahead)
    forward = np.cos(tilt) * ahead - np.sin(tilt) * vertical
    right = np.cross(ahead, vertical)  # holds straight from above too
    return _fitting_camera(points, forward, right, aspect, focal, percentile=99.5)


def look_from_behind(
    world_from_camera: NDArray[np.float64],
    points: NDArray[np.floating],
    up: NDArray[np.floating],
    *,
    tilt: float = 8.0,
    aspect: float = 4 / 3,
    focal: float = 1.2,
) -> Camera:
    """A camera slightly behind and above the one that took a view, upright, that sees all of it.

    Args:
        world_from_camera: (4, 4) pose of the camera that saw the points, metres.
        points: (N, 3) world metres, N >= 1; the outermost 0.2 % may leave the picture.
        up: (3,) the scene's up direction in the world frame, of any length.
        tilt: degrees that the new camera looks further down than the old one.
        aspect: width of the picture divided by its height.
        focal: see :class:`Camera`.

    Raises:
        InputError: the cloud is empty, or ``up`` is zero.
    """
    points, vertical = _points_and_vertical(points, up)
    axis = world_from_camera[:3, 2]
    right = np.cross(axis, vertical)
    if np.linalg.norm(right) < 0.1:  # it looked straight up or down: keep its own right
        right = world_from_camera[:3, 0]
    right = right / np.linalg.norm(right)
    turn = np.radians(tilt)
    forward = np.cos(turn) * axis + np.sin(turn) * np.cross(axis, right)
    return _fitting_camera(points, forward, right, aspect, focal, percentile=99.8)


def draw(
    clouds: Sequence[ColoredPoints],
    *,
    cameras: Sequence[Camera],
    png: Path | None = None,
    ply: Path | None = None,
    window: Window = "auto",
    columns: int | None = None,
    size: tuple[int, int] = (1200, 900),
    point_radius: float | None = None,
) -> list[Path]:
    """Show clouds in an Open3D window, or write them to files, or both.

    Args:
        clouds: the panels, row by row.
        cameras: one camera for each cloud.
        png: where to write the picture of all panels.
        ply: where to write the points; with several clouds each goes to its own file, named
            ``<stem>_<caption>.ply``.
        window: "auto" opens a window where there is a display and no file is asked for;
            "always" insists on one; "never" opens none.
        columns: panels in a row; None puts them all into one row.
        size: width and height of one panel, pixels.
        point_radius: of the discs drawn for points, metres; None measures the spacing of each
            cloud.

    Returns:
        The files written, the PNG first.

    Raises:
        InputError: there is no cloud, one is empty, its arrays do not fit together, the size is
            under 16 pixels, a window is demanded where there is no display, or there is neither
            a window nor a file to write.
    """
    if not clouds or len(clouds) != len(cameras):
        raise InputError(f"{len(clouds)} clouds and {len(cameras)} cameras cannot be drawn")
    for cloud in clouds:
        _check(cloud)
    if min(size) < 16:
        raise InputError(f"--size {size[0]} {size[1]} is too small for a picture; give 16 or more")
    if window == "always" and not has_display():
        raise InputError("--window always: this machine has no display; use --png FILE instead")
    if window == "auto" and (png or ply or not has_display()):
        window = "never"
    if window == "never" and not (png or ply):
        raise InputError("there is no window to draw in; name a file with --png or --ply")
    written = []
    if png is not None:
        panels = [
            render(cloud, camera, size, point_radius)
            for cloud, camera in zip(clouds, cameras, strict=True)
        ]
        picture = _arrange(panels, [c.caption for c in clouds], columns or len(panels))
        with atomic_file(png) as partial:
            Image.fromarray(picture).save(partial, format="PNG")
        written.append(png)
    if ply is not None:
        for index, cloud in enumerate(clouds):
            path = ply if len(clouds) == 1 else _panel_path(ply, clouds, index)
            write_ply(path, cloud)
            written.append(path)
    if window != "never":
        _show_window(clouds, cameras, size)
    return written


def has_display() -> bool:
    """Whether a window can be opened here.

    Variables that name a display are not enough: where none answers (a closed SSH session),
    Open3D 0.20 draws off-screen without a word and waits for ever for its window to be closed.
    """
    if sys.platform in ("darwin", "win32"):
        return True
    wayland = os.environ.get("WAYLAND_DISPLAY")
    if wayland and Path(os.environ.get("XDG_RUNTIME_DIR", "/"), wayland).is_socket():
        return True
    return bool(os.environ.get("DISPLAY")) and _x_server_answers()


def _x_server_answers() -> bool:
    try:
        x11 = ctypes.CDLL("libX11.so.6")  # Open3D needs it as well
    except OSError:
        return False
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(None)
    if display:
        x11.XCloseDisplay(display)
    return bool(display)


def render(
    cloud: ColoredPoints,
    camera: Camera,
    size: tuple[int, int] = (1200, 900),
    point_radius: float | None = None,
) -> NDArray[np.uint8]:
    """Draw one cloud in software on white.

    Args:
        cloud: what to draw.
        camera: where from; pixel (column, row) covers [column, column + 1) x [row, row + 1), and
            the camera's axis meets the picture at (width / 2, height / 2).
        size: width and height, pixels.
        point_radius: of the discs, metres, seen smaller further away and never less than half a
            pixel; None takes 0.9 of :func:`point_spacing`.

    Returns:
        (height, width, 3) uint8 RGB.
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


def point_spacing(points: NDArray[np.floating]) -> float:
    """The side of the grid that points on a surface would have, metres (0.01 for under 5 points).

    It is the median distance to the fourth neighbour, which on a square grid is its side.

    Args:
        points: (N, 3) world metres; about 2,000 of them, evenly spread over the rows, are asked.
    """
    if len(points) < 5:
        return 0.01
    asking = points[:: max(1, len(points) // 2000)]
    distances = KDTree(points, balanced_tree=False).query(asking, k=5)[0][:, 4]
    return float(np.median(distances)) or 0.01


def write_ply(path: Path, cloud: ColoredPoints) -> None:
    """Write a cloud as binary PLY: coloured vertices, and coloured edges for its segments."""
    points, colors = cloud.points, cloud.colors
    elements = []
    if cloud.segments is not None and cloud.segment_colors is not None:
        edges = np.empty(
            len(cloud.segments), [("vertex1", "i4"), ("vertex2", "i4"), *_ply_color_fields()]
        )
        edges["vertex1"] = len(points) + 2 * np.arange(len(edges))
        edges["vertex2"] = edges["vertex1"] + 1
        for channel, name in enumerate(("red", "green", "blue")):
            edges[name] = cloud.segment_colors[:, channel]
        elements.append(PlyElement.describe(edges, "edge"))
        points = np.concatenate([points, cloud.segments.reshape(-1, 3)])
        colors = np.concatenate([colors, np.repeat(cloud.segment_colors, 2, axis=0)])
    vertices = np.empty(len(points), [(axis, "f4") for axis in "xyz"] + _ply_color_fields())
    for column, axis in enumerate("xyz"):
        vertices[axis] = points[:, column]
    for channel, name in enumerate(("red", "green", "blue")):
        vertices[name] = colors[:, channel]
    with atomic_file(path) as partial:
        PlyData([PlyElement.describe(vertices, "vertex"), *elements]).write(str(partial))


def _check(cloud: ColoredPoints) -> None:
    name = f"the cloud {cloud.caption!r}" if cloud.caption else "the point cloud"
    if len(cloud.points) == 0:
        raise InputError(f"{name} is empty: there is nothing to draw")
    if cloud.points.shape[1:] != (3,) or cloud.colors.shape != cloud.points.shape:
        raise InputError(
            f"{name} has points {cloud.points.shape} and colours {cloud.colors.shape}; "
            "both must be (N, 3)"
        )
    if not np.isfinite(cloud.points).all():
        raise InputError(f"{name} holds NaN or infinite coordinates; prepare the views again")
    if (cloud.segments is None) != (cloud.segment_colors is None):
        raise InputError(f"{name} has segments or their colours but not both")


def _points_and_vertical(
    points: NDArray[np.floating], up: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(points) == 0:
        raise InputError("the point cloud is empty: there is nothing to look at")
    length = np.linalg.norm(up)
    if not (np.isfinite(length) and length > 0):
        raise InputError(f"the up direction {np.asarray(up).tolist()} is not a direction")
    return np.asarray(points, dtype=np.float64), np.asarray(up, dtype=np.float64) / length


def _shorter_horizontal_axis(
    points: NDArray[np.float64], vertical: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The horizontal direction (3,) in which the points spread least, of fixed sign."""
    first = np.cross(vertical, np.eye(3)[np.argmin(np.abs(vertical))])
    first /= np.linalg.norm(first)
    basis = np.stack([first, np.cross(vertical, first)], axis=1)
    flat = (points - points.mean(axis=0)) @ basis
    axis = (basis @ np.linalg.eigh(flat.T @ flat)[1][:, 0]).real
    return axis * (1.0 if axis[np.argmax(np.abs(axis))] > 0 else -1.0)


def _fitting_camera(
    points: NDArray[np.float64],
    forward: NDArray[np.float64],
    right: NDArray[np.float64],
    aspect: float,
    focal: float,
    percentile: float,
) -> Camera:
    """The camera of given direction, nearest to the points, that has them in its picture.

    A few per thousand may stay outside: what is beyond ``percentile`` on each side.

    In the camera's axes a point at (x, z) is within the left and right edges of a camera at
    (cx, cz) where |x - cx| <= t (z - cz), t being the tangent of half the field of view; so the
    largest x - t z and the largest -x - t z give cx and cz, and likewise for y.
    """
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    local = points @ rotation
    tangents = 0.96 * np.array([aspect, 1.0]) / (2 * focal)  # 0.96 leaves a margin
    slanted = local[:, 2:] * tangents
    beyond_high = np.percentile(local[:, :2] - slanted, percentile, axis=0)
    beyond_low = np.percentile(-local[:, :2] - slanted, percentile, axis=0)
    middle = (beyond_high - beyond_low) / 2
    retreat = np.max((beyond_high + beyond_low) / (2 * tangents))
    nearest = np.percentile(local[:, 2], 100 - percentile)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = rotation
    # a cloud with no width to fit is seen from 30 cm
    world_from_camera[:3, 3] = rotation @ np.append(middle, min(-retreat, nearest - 0.3))
    return Camera(world_from_camera, focal)


def _project(
    points: NDArray[np.floating], camera: Camera, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Where points fall in a picture of ``size``: (N, 2) columns and rows, (N,) depths.

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
    """The point that each pixel shows, (height, width) int64, -1 where there is none.

    A point covers the pixels within its radius as a shallow bowl, deepest at the rim, so that
    two discs at one depth meet halfway. Depth and row number are packed into one integer, of
    which every pixel keeps the smallest: the outcome does not depend on the order of writing.
    The loop is over the offsets within the largest disc; points are sorted by radius so that
    each offset serves a prefix of them.
    """
    width, height = size
    pad = 2 * LARGEST_DISC  # a disc may stand outside the picture by its radius, and reach as far
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
    """How bright each pixel is, 0..1: darker the more its neighbours are nearer than itself.

    Logarithms make a step count by its ratio, so that far walls are shaded like near ones. A
    single neighbour's part is bounded, or outlines would be black.
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
    """Draw lines over a picture; those that reach behind the camera are left out."""
    height, width = image.shape[:2]
    ends, _ = _project(segments.reshape(-1, 3), camera, (width, height))
    canvas = Image.fromarray(np.rint(image).astype(np.uint8))
    pen = ImageDraw.Draw(canvas)
    thickness = max(SUPERSAMPLING, height // 400)
    for line, color in zip(ends.reshape(-1, 4), colors.tolist(), strict=True):
        if np.isfinite(line).all():
            pen.line(line.tolist(), fill=tuple(color), width=thickness)
    return np.asarray(canvas, dtype=np.float32)


def _arrange(
    panels: list[NDArray[np.uint8]], captions: list[str], columns: int
) -> NDArray[np.uint8]:
    """Put panels of one size into rows of ``columns``, each under its caption, on white."""
    height, width = panels[0].shape[:2]
    font_size = max(12, height // 32)
    header = 2 * font_size if any(captions) else 0
    num_rows = -(-len(panels) // columns)
    sheet = Image.new(
        "RGB",
        (columns * (width + GAP) - GAP, num_rows * (height + header + GAP) - GAP),
        (255, 255, 255),
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(font_size)
    for index, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        left = index % columns * (width + GAP)
        top = index // columns * (height + header + GAP)
        anchor = (left + width / 2, top + header / 2)
        pen.text(anchor, caption, fill=(40, 40, 40), font=font, anchor="mm")
        sheet.paste(Image.fromarray(panel), (left, top + header))
    return np.asarray(sheet)


def _panel_path(ply: Path, clouds: Sequence[ColoredPoints], index: int) -> Path:
    slugs = [re.sub(r"[^a-z0-9]+", "_", c.caption.lower()).strip("_") for c in clouds]
    unique = slugs[index] and slugs.count(slugs[index]) == 1
    return ply.with_name(f"{ply.stem}_{slugs[index] if unique else index}{ply.suffix}")


def _ply_color_fields() -> list[tuple[str, str]]:
    return [(name, "u1") for name in ("red", "green", "blue")]


def _show_window(
    clouds: Sequence[ColoredPoints], cameras: Sequence[Camera], size: tuple[int, int]
) -> None:
    """Open a window with the clouds side by side and wait until the user closes it."""
    import open3d  # takes seconds to import, and only a window needs it

    visualizer: Any = open3d.visualization.Visualizer()  # type: ignore[attr-defined]
    title = " | ".join(cloud.caption for cloud in clouds) or "point cloud"
    if not visualizer.create_window(title, *size):
        raise InputError("Open3D could not open a window; use --window never with --png FILE")
    try:
        right = cameras[0].world_from_camera[:3, 0]
        edge = 0.0  # where the next cloud begins along the first camera's right
        for cloud in clouds:
            along = cloud.points @ right
            shift = (edge - along.min()) * right
            edge += 1.1 * (along.max() - along.min())
            for geometry in _open3d_geometries(open3d, cloud, shift):
                visualizer.add_geometry(geometry)
        view = visualizer.get_view_control()
        view.set_front(-cameras[0].world_from_camera[:3, 2])
        view.set_up(-cameras[0].world_from_camera[:3, 1])
        visualizer.run()
    finally:
        visualizer.destroy_window()


def _open3d_geometries(open3d: Any, cloud: ColoredPoints, shift: NDArray[np.float64]) -> list[Any]:
    vector = open3d.utility.Vector3dVector
    points = open3d.geometry.PointCloud(vector(cloud.points + shift))
    points.colors = vector(cloud.colors / 255.0)
    if cloud.segments is None or cloud.segment_colors is None:
        return [points]
    lines = open3d.geometry.LineSet(
        vector(cloud.segments.reshape(-1, 3) + shift),
        open3d.utility.Vector2iVector(np.arange(2 * len(cloud.segments)).reshape(-1, 2)),
    )
    lines.colors = vector(cloud.segment_colors / 255.0)
    return [points, lines]
