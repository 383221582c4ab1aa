"""Readers of ScanNet's PLY files: coloured meshes, and labels per vertex.

The release's files are binary. Those that other programs saved again may be ASCII, with doubles and
other types (ScanNet/ScanNet issues 103 and 105), and hold the same mesh.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyParseError

from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError
from pointcontrast.origins import take_origin_off

_SHIFT = 1e-3  # largest difference between the two meshes of a scan, metres


@dataclass(frozen=True)
class Mesh:
    """Coloured triangle mesh.

    Attributes:
        vertices: Positions (N, 3) float32, metres, in the frame of the scan, relative to
            ``origin``.
        colors: RGB colours (N, 3) uint8.
        triangles: Rows of ``vertices`` (T, 3) int32.
        origin: (3,) float64 metres, as of ``pointcontrast.origins``.
    """

    vertices: NDArray[np.float32]
    colors: NDArray[np.uint8]
    triangles: NDArray[np.int32]
    origin: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))


def read_mesh(path: Path) -> Mesh:
    """Read ``_vh_clean_2.ply``.

    Raises:
        InputError: The file is missing, truncated or not a PLY file, or it has no colours, NaN, or
            triangles of vertices that do not exist.
    """
    ply = _read_ply(path)
    vertices, origin = take_origin_off(_vertices(path, ply))
    colors = np.stack([_column(path, ply, name) for name in ("red", "green", "blue")], axis=1)
    return Mesh(
        vertices,
        as_uint8_colors(colors, f"{path}: its vertices"),
        _triangles(path, ply, len(vertices)),
        origin,
    )


def read_vertex_labels(path: Path, mesh: Mesh) -> NDArray[np.int64]:
    """Read the labels of ``_vh_clean_2.labels.ply``.

    Args:
        path: The file.
        mesh: Mesh of the scan, whose N vertices the file must have as well.

    Returns:
        Property ``label`` (N,) int64.

    Raises:
        InputError: The file is missing, truncated, without labels, or of another mesh.
    """
    ply = _read_ply(path)
    labels = _column(path, ply, "label")
    found = _vertices(path, ply)
    if len(found) != len(mesh.vertices):
        raise InputError(
            f"{path} has {len(found)} vertices, the scan's mesh {len(mesh.vertices)}: they do not "
            "belong together; download both again"
        )
    if np.abs(found - mesh.origin - mesh.vertices).max() > _SHIFT:
        raise InputError(f"{path} has other vertices than the scan's mesh; download both again")
    if labels.dtype.kind == "f" and (labels % 1 != 0).any():
        wrong = labels[labels % 1 != 0][0]
        raise InputError(f"{path} has the label {wrong:g}; labels are whole numbers")
    return labels.astype(np.int64)


def vertex_normals(mesh: Mesh) -> NDArray[np.float32]:
    """Compute vertex normals, the area-weighted means of the adjacent triangles' normals.

    Returns:
        Unit vectors (N, 3) float32, towards the side from which triangles are counter-clockwise.
        0 0 0 at a vertex without a triangle of positive area.
    """
    corners = mesh.vertices.astype(np.float64)[mesh.triangles]  # (T, 3, 3)
    # the length is twice the area, so a sum is weighted by area
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    rows, weights = mesh.triangles.ravel(), np.repeat(cross, 3, axis=0)
    count = len(mesh.vertices)
    total = np.stack([np.bincount(rows, weights[:, k], minlength=count) for k in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.divide(total, length, out=np.zeros_like(total), where=length > 1e-14).astype(
        np.float32
    )


def _read_ply(path: Path) -> PlyData:
    try:
        # knowing that all faces are triangles, plyfile reads binary ones as one block
        known = {} if _is_ascii(path) else {"face": {"vertex_indices": 3}}
        return PlyData.read(path, known_list_len=known)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; download it") from None
    except (PlyParseError, ValueError, OverflowError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"{path} is not a whole PLY file ({reason}); download it again") from None


def _is_ascii(path: Path) -> bool:
    with open(path, "rb") as file:
        return b"format ascii" in file.read(64)


def _column(path: Path, ply: PlyData, name: str) -> NDArray[Any]:
    if "vertex" not in ply or name not in (vertex := ply["vertex"].data).dtype.names:
        raise InputError(f"{path} has no property {name!r} of its vertices; download it again")
    return np.asarray(vertex[name])


def _vertices(path: Path, ply: PlyData) -> NDArray[np.floating]:
    vertices = np.stack([_column(path, ply, axis) for axis in "xyz"], axis=1)
    if not len(vertices):
        raise InputError(f"{path} has no vertices; download it again")
    if not np.isfinite(vertices).all():
        raise InputError(f"{path} has vertices at NaN or infinity; download it again")
    return vertices


def _triangles(path: Path, ply: PlyData, num_vertices: int) -> NDArray[np.int32]:
    faces: NDArray[Any] = ply["face"].data if "face" in ply else np.zeros(0)
    if not len(faces) or "vertex_indices" not in (faces.dtype.names or ()):
        raise InputError(f"{path} has no faces of 'vertex_indices'; download it again")
    corners = faces["vertex_indices"]
    if corners.dtype == object:  # of an ASCII file, a list per face
        if any(len(face) != 3 for face in corners):
            raise InputError(f"{path} has faces that are no triangles; download it again")
        corners = np.stack(list(corners))
    triangles = np.asarray(corners).astype(np.int64).reshape(-1, 3)
    if triangles.min() < 0 or triangles.max() >= num_vertices:
        raise InputError(
            f"{path} has faces of vertices {triangles.min()}..{triangles.max()}, and only "
            f"{num_vertices} vertices; download it again"
        )
    return triangles.astype(np.int32)
