"""The columns of point-cloud and mesh files, as each format stores them.

Readers return what the file says and judge only whether it is whole. What the values mean is
decided in one place for all formats, :mod:`pointcontrast.recordings.point_files`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import plyfile
from numpy.typing import NDArray

from pointcontrast.errors import InputError

MESH_SUFFIXES = (".obj", ".off", ".stl", ".glb", ".gltf")
_OPEN3D_CLOUDS = (".pcd", ".xyz", ".pts", ".xyzrgb")
_BIN_POINT_BYTES = 16  # float32 x y z and reflectance
_COLOR_NAMES = (
    ("red", "green", "blue"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),  # MeshLab, older exporters
    ("r", "g", "b"),
)
_FACE_LISTS = ("vertex_indices", "vertex_index")


class Columns(NamedTuple):
    """Content of a file before any conversion: numbers of any dtype.

    Attributes:
        points: (N, 3), N >= 0; of a mesh, its vertices.
        colors: (N, 3) or None.
        normals: (N, 3) or None.
        faces: (F, 3) rows of ``points``, F >= 1; None for a point cloud.
    """

    points: NDArray[Any]
    colors: NDArray[Any] | None = None
    normals: NDArray[Any] | None = None
    faces: NDArray[Any] | None = None


def _read_bin(path: Path) -> Columns:
    size = path.stat().st_size
    if size % _BIN_POINT_BYTES:
        raise InputError(
            f"{path} is {size} bytes, not a multiple of the {_BIN_POINT_BYTES} of a point (float32 "
            "x y z reflectance): it is cut short or in another format; save that as .npy"
        )
    return Columns(np.fromfile(path, dtype="<f4").reshape(-1, 4)[:, :3])


def _read_npy(path: Path) -> Columns:
    # Mapped, so that a header which promises more than the file holds allocates nothing.
    array = np.lib.format.open_memmap(path, mode="r")
    if array.ndim != 2 or array.shape[1] < 3 or array.dtype.kind not in "fiu":
        raise InputError(
            f"{path} holds an array {array.shape} of {array.dtype}, not (N, 3 or more) numbers"
        )
    return Columns(array[:, :3])


def _read_ply(path: Path) -> Columns:
    # Lists of a known length are mapped; others take a Python loop over the faces.
    triangles = dict.fromkeys(_FACE_LISTS, 3)
    try:
        ply = plyfile.PlyData.read(str(path), known_list_len={"face": triangles})
    except plyfile.PlyParseError as error:
        if "list length" in str(error):
            raise InputError(_not_triangles(path)) from None
        raise
    if "vertex" not in ply:
        raise InputError(f"{path} has no vertex element, so no points")
    vertices = ply["vertex"].data
    fields = vertices.dtype.names or ()

    def columns(names: tuple[str, ...]) -> NDArray[Any] | None:
        return np.stack([vertices[n] for n in names], axis=1) if set(names) <= set(fields) else None

    points = columns(("x", "y", "z"))
    if points is None:
        raise InputError(f"{path}: its vertices have {', '.join(fields)}, but no x y z")
    colors = next((c for c in map(columns, _COLOR_NAMES) if c is not None), None)
    return Columns(points, colors, columns(("nx", "ny", "nz")), _ply_faces(path, ply))


def _ply_faces(path: Path, ply: plyfile.PlyData) -> NDArray[Any] | None:
    if "face" not in ply or not ply["face"].count:
        return None
    face = ply["face"]
    name = next((n for n in _FACE_LISTS if n in face), None)
    if name is None:
        raise InputError(f"{path} has faces without vertex_indices; export it again")
    lists = face[name]
    if lists.ndim == 1:  # a text file, or one with other lists as well
        if any(len(each) != 3 for each in lists):
            raise InputError(_not_triangles(path))
        lists = np.stack(lists)
    return lists


def _read_text(path: Path) -> Columns:
    try:
        table = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise InputError(
            f"{path} is not a table of x y z, or x y z and three more columns ({error})"
        ) from None
    if table.size and table.shape[1] not in (3, 6):
        raise InputError(
            f"{path} has {table.shape[1]} columns; give x y z, x y z red green blue, or x y z and "
            "a normal"
        )
    points, rest = table[:, :3], table[:, 3:]
    if not rest.size:
        return Columns(points)
    if np.abs(np.linalg.norm(rest, axis=1) - 1).max() < 1e-2:
        return Columns(points, normals=rest)
    return Columns(points, colors=rest)


def _read_open3d_cloud(path: Path) -> Columns:
    suffix = path.suffix.lower()
    if suffix == ".pts":
        _check_count(path, *_pts_counts(path))
    cloud = _ask_open3d(path, "read_point_cloud")
    if suffix == ".pcd":
        _check_count(path, _pcd_count(path), len(cloud.points))
    return Columns(
        np.asarray(cloud.points),
        np.asarray(cloud.colors) if cloud.has_colors() else None,
        np.asarray(cloud.normals) if cloud.has_normals() else None,
    )


def _check_count(path: Path, promised: int, found: int) -> None:
    if found < promised:
        raise InputError(
            f"{path} is damaged or cut short (its header promises {promised} points, {found} can "
            "be read); export it again"
        )


def _pts_counts(path: Path) -> tuple[int, int]:
    """The promised and the complete rows: Open3D fills missing rows with arbitrary numbers."""
    with open(path, "rb") as file:
        header = file.readline().split()
        if len(header) != 1 or not header[0].isdigit():
            raise InputError(
                f"{path} does not start with its number of points, as a .pts must; save it as .xyz"
            )
        width = found = 0
        for line in file:
            words = len(line.split())
            width = width or words
            found += words == width > 0
    return int(header[0]), found


def _pcd_count(path: Path) -> int:
    """The number of points in the header: of a damaged file Open3D reads none at all."""
    with open(path, "rb") as file:
        for _ in range(64):
            words = file.readline(1024).split()
            if len(words) == 2 and words[0] == b"POINTS":
                return int(words[1])
    raise InputError(f"{path} is not a PCD file: no POINTS in its header")


def _read_open3d_mesh(path: Path) -> Columns:
    mesh = _ask_open3d(path, "read_triangle_mesh")
    faces = np.asarray(mesh.triangles)
    if len(faces) < (_num_off_faces(path) if path.suffix.lower() == ".off" else 1):
        raise InputError(
            f"{path} holds no faces, or fewer than it says: is it damaged? Export the mesh again, "
            "or a cloud as .ply"
        )
    if path.suffix.lower() == ".obj" and len(faces) < _num_obj_faces(path):
        raise InputError(_not_triangles(path))
    colors = np.asarray(mesh.vertex_colors) if mesh.has_vertex_colors() else None
    return Columns(np.asarray(mesh.vertices), colors, faces=faces)


def _num_off_faces(path: Path) -> int:
    """Faces that the header promises, at least 1: Open3D returns half of a file cut short."""
    words = path.read_text(encoding="utf-8", errors="replace").partition("OFF")[2].split(None, 3)
    return max(1, int(words[1])) if len(words) > 1 and words[1].isdecimal() else 1


def _num_obj_faces(path: Path) -> int:
    """Faces that the file lists: Open3D leaves out those that are not triangles."""
    return sum(line.startswith((b"f ", b"f\t")) for line in path.read_bytes().splitlines())


def _not_triangles(path: Path) -> str:
    return f"{path} has faces that are not triangles; triangulate the mesh"


def _ask_open3d(path: Path, reader: str) -> Any:
    """Read by Open3D, which gives an empty result and a warning in place of an error."""
    path.open("rb").close()  # a missing or unreadable file is an OSError here
    import open3d  # seconds to import

    # Open3D drops points that are NaN unless told otherwise.
    keep = {} if reader == "read_triangle_mesh" else {"remove_nan_points": False}
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        return getattr(open3d.io, reader)(str(path), **keep)


READERS: dict[str, Callable[[Path], Columns]] = {
    ".bin": _read_bin,
    ".npy": _read_npy,
    ".ply": _read_ply,
    **dict.fromkeys((".txt", ".asc"), _read_text),
    **dict.fromkeys(_OPEN3D_CLOUDS, _read_open3d_cloud),
    **dict.fromkeys(MESH_SUFFIXES, _read_open3d_mesh),
}
"""Readers by lower-case suffix.

They raise InputError, or, for damage, what NumPy and plyfile raise.
"""
