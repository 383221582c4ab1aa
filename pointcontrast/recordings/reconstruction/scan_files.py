"""Reading mesh and point-cloud files, and saying what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement, PlyParseError

from pointcontrast.errors import InputError
from pointcontrast.recordings.reconstruction.surface_points import sample_surface
from pointcontrast.types import PointCloud

MESH_SUFFIXES = (".obj", ".off", ".stl", ".glb", ".gltf")
CLOUD_SUFFIXES = (".pcd", ".xyz", ".pts", ".xyzrgb")
SUFFIXES = (".ply", *MESH_SUFFIXES, *CLOUD_SUFFIXES)
DENSITY = 10_000.0  # points a square metre of a mesh: one a square centimetre
MAX_POINTS = 5_000_000

_FACE_LISTS = ("vertex_indices", "vertex_index")
_SMALLEST, _LARGEST = 0.1, 1000.0  # metres: the extent of what is taken for a scan in metres


def read_scan_file(path: Path) -> PointCloud:
    """Read a reconstruction as points on its surfaces.

    A mesh becomes about one point a square centimetre (thinner above five million), drawn with a
    fixed seed; a cloud is taken as it is. Textures are not read: colours are those of vertices.

    Args:
        path: a file with one of ``SUFFIXES``; PLY by plyfile, all others by Open3D. An OBJ that
            was cut short between two faces is a smaller OBJ: nothing in it tells.

    Returns:
        N >= 1 points, world metres, with colours and normals where the file has them.

    Raises:
        InputError: damaged, without points, with NaN, or with an extent that no scan in metres
            has.
    """
    suffix = path.suffix.lower()
    if suffix == ".ply":
        cloud = _read_ply(path)
    elif suffix in MESH_SUFFIXES:
        cloud = _read_mesh(path)
    else:
        cloud = _from_open3d(path, "read_point_cloud")
    if not len(cloud):
        raise InputError(f"{path} holds no points; is it damaged? Export the scan again")
    extent = float(np.ptp(cloud.points, axis=0).max())
    if not _SMALLEST <= extent <= _LARGEST:
        raise InputError(
            f"{path} is {extent:.3g} m across, if its unit is the metre as it must be: convert it "
            "to metres, or remove stray points far from the rest"
        )
    return cloud


def _read_ply(path: Path) -> PointCloud:
    try:
        # Lists of known length are mapped; others take a Python loop over the faces.
        triangles = dict.fromkeys(_FACE_LISTS, 3)
        ply = PlyData.read(str(path), known_list_len={"face": triangles})
        faces = _ply_faces(path, ply)
        vertex = ply["vertex"]
        points = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float64)
    except (PlyParseError, KeyError, ValueError) as error:
        if "list length" in str(error):
            raise InputError(_not_triangles(path)) from None
        raise InputError(f"{path} is damaged or no scan ({error}); export it again") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None
    colors = _ply_columns(vertex, ("red", "green", "blue"))
    normals = _ply_columns(vertex, ("nx", "ny", "nz"))
    if colors is not None and np.issubdtype(colors.dtype, np.floating):
        colors = np.rint(np.clip(colors, 0, 1) * 255)  # as some exporters write them
    return _as_points(
        path, points, faces, None if colors is None else colors.astype(np.uint8), normals
    )


def _ply_faces(path: Path, ply: PlyData) -> NDArray[np.int64] | None:
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
    return lists.astype(np.int64)


def _not_triangles(path: Path) -> str:
    return f"{path} has faces that are not triangles; triangulate the mesh"


def _ply_columns(vertex: PlyElement, names: tuple[str, ...]) -> NDArray[Any] | None:
    have = {each.name for each in vertex.properties}
    return np.stack([vertex[n] for n in names], axis=1) if have.issuperset(names) else None


def _read_mesh(path: Path) -> PointCloud:
    mesh = _ask_open3d(path, "read_triangle_mesh")
    faces = np.asarray(mesh.triangles).astype(np.int64)
    if len(faces) < (_num_off_faces(path) if path.suffix.lower() == ".off" else 1):
        raise InputError(
            f"{path} holds no faces, or fewer than it says: is it damaged? Export the mesh again, "
            "or a cloud as .ply"
        )
    if path.suffix.lower() == ".obj" and len(faces) < _num_obj_faces(path):
        raise InputError(_not_triangles(path))
    colors = _bytes(mesh.vertex_colors) if mesh.has_vertex_colors() else None
    return _as_points(path, np.asarray(mesh.vertices), faces, colors, None)


def _num_off_faces(path: Path) -> int:
    """What the header says, at least 1: Open3D returns half of a file that is cut short."""
    words = path.read_text(encoding="utf-8", errors="replace").partition("OFF")[2].split(None, 3)
    return max(1, int(words[1])) if len(words) > 1 and words[1].isdecimal() else 1


def _num_obj_faces(path: Path) -> int:
    """How many faces the file lists: Open3D leaves out those that are not triangles."""
    return sum(line.startswith((b"f ", b"f\t")) for line in path.read_bytes().splitlines())


def _from_open3d(path: Path, reader: str) -> PointCloud:
    cloud = _ask_open3d(path, reader)
    colors = _bytes(cloud.colors) if cloud.has_colors() else None
    normals = np.asarray(cloud.normals) if cloud.has_normals() else None
    return _as_points(path, np.asarray(cloud.points), None, colors, normals)


def _ask_open3d(path: Path, reader: str) -> Any:
    """Read by Open3D, which gives an empty result (and a warning) in place of an error."""
    import open3d  # seconds to import, and most scans are PLY

    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    # Open3D drops points that are NaN unless told otherwise; they are to be named.
    keep = {} if reader == "read_triangle_mesh" else {"remove_nan_points": False}
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        return getattr(open3d.io, reader)(str(path), **keep)


def _bytes(colors: Any) -> NDArray[np.uint8]:
    return np.rint(np.clip(np.asarray(colors), 0, 1) * 255).astype(np.uint8)


def _as_points(
    path: Path,
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64] | None,
    colors: NDArray[np.uint8] | None,
    normals: NDArray[Any] | None,
) -> PointCloud:
    """Check what was read and turn a mesh into points."""
    if not np.isfinite(vertices).all():
        raise InputError(f"{path} holds NaN or infinite coordinates; remove those points")
    if faces is None:
        if normals is not None:
            lengths = np.linalg.norm(normals.astype(np.float64), axis=1, keepdims=True)
            # a length of NaN or 0 is no direction
            known = np.isfinite(lengths) & (lengths > 1e-6)
            normals = np.where(known, normals / np.where(known, lengths, 1), 0).astype(np.float32)
        return PointCloud(vertices.astype(np.float32), colors, normals)
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(
            f"{path} is damaged: a face names vertex {faces.max()} of {len(vertices)}; export it "
            "again"
        )
    rng = np.random.default_rng(0)  # a file gives the same points every time
    return sample_surface(vertices, faces, colors, DENSITY, MAX_POINTS, rng)
