"""Point clouds and meshes from files of any common format, by one set of rules."""

from __future__ import annotations

import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plyfile
from numpy.typing import NDArray

from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats import READERS

# NumPy's and plyfile's readers report damage in all these ways.
_DAMAGE = (
    *(ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError),
    *(SyntaxError, tokenize.TokenError, plyfile.PlyParseError),
)


@dataclass(frozen=True)
class StoredPoints:
    """Points of a file, in its own frame and unit.

    Attributes:
        points: (N, 3) float64, N >= 1; vertices of a mesh. They may be NaN or infinite.
        colors: (N, 3) uint8 RGB, or None.
        normals: (N, 3) float32 unit vectors, 0 0 0 where the file has no direction; or None.
        faces: (F, 3) int64 rows of ``points``, F >= 1; None for a point cloud.
    """

    points: NDArray[np.float64]
    colors: NDArray[np.uint8] | None
    normals: NDArray[np.float32] | None
    faces: NDArray[np.int64] | None


def read_point_file(path: Path) -> StoredPoints:
    """Read a point cloud or a mesh.

    ========================= ==================================================================
    ``.bin``                  float32 x y z reflectance per point, as KITTI stores sweeps
    ``.npy``                  (N, 3 or more) numbers, x y z first; the other columns are ignored
    ``.ply``                  x y z; colours as red green blue, diffuse_red diffuse_green
                              diffuse_blue, or r g b; nx ny nz; triangles
    ``.txt .asc``             x y z, then red green blue or a unit normal, separated by spaces
    ``.pcd .xyz .pts          what Open3D reads
    .xyzrgb .obj .off .stl
    .glb .gltf``
    ========================= ==================================================================

    The form of colours is told by :func:`pointcontrast.colors.as_uint8_colors`. Textures are not
    read: the colours of a mesh are those of its vertices. Nothing in an OBJ tells that it was cut
    short between two faces.

    Args:
        path: File with a suffix of :data:`pointcontrast.recordings.file_formats.READERS`.

    Returns:
        Its points, at least one.

    Raises:
        InputError: Absent, unreadable, of an unknown suffix, damaged, without points, with faces
            that are not triangles, or with colours of an unknown form.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path} is in none of the formats {', '.join(READERS)}; convert it")
    try:
        points, colors, normals, faces = reader(path)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is damaged or cut short ({reason}); export it again") from None
    if not len(points):
        raise InputError(f"{path} holds no points; is it damaged? Export it again")
    return StoredPoints(
        np.ascontiguousarray(points, dtype=np.float64),
        None if colors is None else as_uint8_colors(colors, str(path)),
        None if normals is None else _unit(normals),
        None if faces is None else _checked_faces(path, faces, len(points)),
    )


def _unit(normals: NDArray[Any]) -> NDArray[np.float32]:
    """Bring normals to unit length; 0 0 0 where they are NaN or have no length."""
    lengths = np.linalg.norm(normals.astype(np.float64), axis=1, keepdims=True)
    known = np.isfinite(lengths) & (lengths > 1e-6)
    return np.where(known, normals / np.where(known, lengths, 1), 0).astype(np.float32)


def _checked_faces(path: Path, faces: NDArray[Any], num_points: int) -> NDArray[np.int64]:
    if faces.min() < 0 or faces.max() >= num_points:
        wrong = faces.min() if faces.min() < 0 else faces.max()
        raise InputError(
            f"{path} is damaged: a face names vertex {wrong} of {num_points}; export it again"
        )
    return faces.astype(np.int64)
