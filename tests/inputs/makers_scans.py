"""Single scans that are right: a room as a cloud, as a mesh, as a labelled scene, as S3DIS has it.

The room is ``tests.helpers.box_world``: 6 x 4 x 2.6 m, z up, corner at the origin, with a partition
and a table; colour and class of every point follow from its place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.labelled_scene import LabelledScene, write_labelled_scene
from pointcontrast.pictures.point_ply import write_point_ply
from tests.helpers import box_world

CLASSES = ("ceiling", "floor", "wall", "table")
"""Classes of the room: names that S3DIS has, too."""


def room_cloud(spacing: float = 0.15) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Points (N, 3) in metres and colours (N, 3) of the room; 4,400 points by default."""
    points = box_world.world_points(spacing)
    return points, box_world.colors_of(points)


def room_labels(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Class of each point of the room, a row of :data:`CLASSES`."""
    labels = np.full(len(points), CLASSES.index("wall"), dtype=np.int32)
    labels[points[:, 2] > box_world.ROOM[1, 2] - 1e-3] = CLASSES.index("ceiling")
    labels[points[:, 2] < 1e-3] = CLASSES.index("floor")
    low, high = box_world.SOLIDS[1]
    inside = ((points > low - 1e-3) & (points < high + 1e-3)).all(axis=1) & (points[:, 2] > 1e-3)
    labels[inside] = CLASSES.index("table")
    return labels


def room_mesh() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices (V, 3) and triangles (F, 3) of the same room."""
    return box_world.world_mesh()


def write_room_ply(path: Path, spacing: float = 0.15) -> Path:
    """Write the room as a binary PLY of points with colours; return its path."""
    points, colors = room_cloud(spacing)
    write_point_ply(path, points, colors)
    return path


def write_room_obj(path: Path) -> Path:
    """Write the room's mesh as an OBJ of triangles; return its path."""
    vertices, faces = room_mesh()
    lines = [f"v {x} {y} {z}" for x, y, z in vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def write_room_text(path: Path, separator: str = " ", labels: bool = False) -> Path:
    """Write the room as lines of x y z r g b, and the class where asked; return its path."""
    points, colors = room_cloud()
    columns = [*points.T, *colors.T] + ([room_labels(points)] if labels else [])
    formats = ["%.3f"] * 3 + ["%d"] * (len(columns) - 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, np.stack(columns, axis=1), fmt=formats, delimiter=separator)
    return path


def labelled_room(spacing: float = 0.15) -> LabelledScene:
    """The room as a labelled scene."""
    points, colors = room_cloud(spacing)
    return LabelledScene(
        coord=points, color=colors, semantic=room_labels(points), class_names=CLASSES
    )


def write_labelled_rooms(root: Path, count: int = 3) -> Path:
    """Write labelled scenes ``room_1``, ``room_2``, ...: the room, each a little sparser."""
    for number in range(1, count + 1):
        write_labelled_scene(root / f"room_{number}", labelled_room(0.15 + 0.02 * number))
    return root


def write_s3dis_room(room: Path, spacing: float = 0.2) -> Path:
    """Write a room in S3DIS's layout, such as ``raw/Area_1/office_1``: a file per object."""
    points, colors = room_cloud(spacing)
    labels = room_labels(points)
    (room / "Annotations").mkdir(parents=True)
    everything = []
    for index, name in enumerate(CLASSES):
        chosen = labels == index
        lines = [
            f"{x:.3f} {y:.3f} {z:.3f} {r} {g} {b}"
            for (x, y, z), (r, g, b) in zip(points[chosen], colors[chosen], strict=True)
        ]
        (room / "Annotations" / f"{name}_1.txt").write_text("\n".join(lines) + "\n")
        everything += lines
    (room / f"{room.name}.txt").write_text("\n".join(everything) + "\n")
    return room
