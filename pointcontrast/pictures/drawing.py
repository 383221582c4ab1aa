"""Output of coloured point clouds: an Open3D window, a PNG of captioned panels, PLY files.

Only the window needs Open3D and a display; pictures are rendered in software, by ``splatting``.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.pictures.cameras import Camera
from pointcontrast.pictures.colored_points import ColoredPoints, write_ply
from pointcontrast.pictures.splatting import render

Window = Literal["auto", "always", "never"]

GAP = 12
"""Pixels between two panels."""


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
    origin: ArrayLike = (0.0, 0.0, 0.0),
) -> list[Path]:
    """Show clouds in an Open3D window, or write them to files, or both.

    Args:
        clouds: Panels, row by row.
        cameras: Cameras of the panels.
        png: File for the picture of all panels.
        ply: File for the points. Several clouds are written to one file each, named
            ``<stem>_<caption>.ply``.
        window: ``auto`` opens a window if there is a display and no file is given; ``always``
            requires one; ``never`` opens none.
        columns: Number of panels per row; None puts all into one row.
        size: Width and height of one panel in pixels.
        point_radius: Radius of the disc of a point in metres; None measures the spacing of the
            points of each cloud.
        origin: (3,) metres, added to the points in the PLY files.

    Returns:
        Paths of the files written, the PNG first.

    Raises:
        InputError: There is no cloud, a cloud is empty or its arrays do not match, the size is
            below 16 pixels, a window is required without a display, or there is neither a window
            nor a file.
    """
    if not clouds or len(clouds) != len(cameras):
        raise InputError(f"{len(clouds)} clouds and {len(cameras)} cameras cannot be drawn")
    for cloud in clouds:
        _check(cloud)
    if min(size) < 16:
        raise InputError(f"--size {size[0]} {size[1]} is too small for a picture; give 16 or more")
    if window == "always" and not has_display():
        raise InputError("--window always: this machine has no display; use --png FILE")
    if window == "auto" and (png or ply or not has_display()):
        window = "never"
    if window == "never" and not (png or ply):
        raise InputError("without a window, give a file with --png or --ply")
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
            write_ply(path, cloud, origin)
            written.append(path)
    if window != "never":
        _show_window(clouds, cameras, size)
    return written


def has_display() -> bool:
    """Whether a window can be opened.

    Environment variables are not enough: if the display does not answer (a closed SSH session),
    Open3D 0.20 draws off-screen and waits forever for the window to be closed.
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


def _arrange(
    panels: list[NDArray[np.uint8]], captions: list[str], columns: int
) -> NDArray[np.uint8]:
    """Arrange panels of one size in rows of ``columns``, each below its caption, on white."""
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


def _show_window(
    clouds: Sequence[ColoredPoints], cameras: Sequence[Camera], size: tuple[int, int]
) -> None:
    """Open a window with the clouds side by side and wait until the user closes it."""
    import open3d  # takes seconds to import

    visualizer: Any = open3d.visualization.Visualizer()  # type: ignore[attr-defined]
    title = " | ".join(cloud.caption for cloud in clouds) or "point cloud"
    if not visualizer.create_window(title, *size):
        raise InputError("Open3D could not open a window; use --window never with --png FILE")
    try:
        right = cameras[0].world_from_camera[:3, 0]
        edge = 0.0  # start of the next cloud, along the right of the first camera
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
