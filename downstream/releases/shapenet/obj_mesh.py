"""Reader of the faces of Wavefront OBJ files.

It replaces that of Open3D 0.20, which drops faces that are not triangles, refuses a whole file for
one wrong index, and reads the textures that ``mtllib`` names.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

_VERTEX, _FACE = (b"v ", b"v\t"), (b"f ", b"f\t")
_TEXTURE_AND_NORMAL = re.compile(rb"/[^\s]*")


@dataclass(frozen=True)
class ObjMesh:
    """Triangle mesh.

    Attributes:
        vertices: Positions (V, 3) float64.
        triangles: Rows of ``vertices`` (T, 3) int64, oriented as in the file.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]


def read_obj(path: Path) -> ObjMesh:
    """Read the lines ``v x y z`` and ``f 1 2 3 4``, ``f 1/5/2 ...``, ``f -4 -3 -2``.

    Groups, objects, materials, texture coordinates, normals, points and lines are ignored. A
    polygon becomes a fan of triangles around its first corner, which is correct if it is convex. A
    file truncated between two faces cannot be recognized and gives a smaller mesh.

    Raises:
        InputError: The file cannot be read or has no faces, or a line is not numeric, names a
            vertex that does not exist, or has a corner that is not finite. The message is the path,
            a colon and the reason.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror})") from None
    faces = [line[2:] for line in lines if line.startswith(_FACE)]
    num_corners = np.array([len(face.split()) for face in faces], dtype=np.int64)
    if not num_corners.sum():
        raise InputError(f"{path}: it has no faces")
    vertices = _vertices(path, [line[2:] for line in lines if line.startswith(_VERTEX)])
    corners = _corners(path, b"\n".join(faces), int(num_corners.sum()))
    if (corners < 0).any():
        corners = _counted_from_start(lines, corners, num_corners)
    corners = corners - 1
    strange = (corners < 0) | (corners >= len(vertices))
    if strange.any():
        raise InputError(
            f"{path}: a face names vertex {corners[strange][0] + 1} of {len(vertices)}"
        )
    if not np.isfinite(vertices[corners]).all():
        raise InputError(f"{path}: a face has a corner that is NaN or infinite")
    return ObjMesh(vertices, _fans(corners, num_corners))


def _vertices(path: Path, lines: list[bytes]) -> NDArray[np.float64]:
    if not lines:
        return np.empty((0, 3))
    words = _numbers(path, b"\n".join(lines), np.float64)
    # a weight or a colour may follow the position, in all lines alike
    columns = len(words) // len(lines)
    if len(words) != columns * len(lines) or columns < 3:
        raise InputError(f"{path}: a vertex is not three numbers")
    return np.ascontiguousarray(words.reshape(-1, columns)[:, :3])


def _corners(path: Path, text: bytes, num_corners: int) -> NDArray[np.int64]:
    """Return the vertex numbers of all faces, concatenated, as written in the file."""
    if text.count(b"/") == 2 * num_corners and text.count(b"//") in (0, num_corners):
        # all corners are a/b/c, or all a//c: faster than the general case
        words = _numbers(path, text.replace(b"/", b" "), np.int64)
        stride = 2 if b"//" in text else 3
    else:
        words = _numbers(path, _TEXTURE_AND_NORMAL.sub(b"", text), np.int64)
        stride = 1
    if len(words) != stride * num_corners:
        raise InputError(f"{path}: a face is not of whole numbers")
    return words[::stride]


def _numbers(path: Path, text: bytes, dtype: type[np.generic]) -> NDArray:
    """Parse numbers separated by white space."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # raised by NumPy 2 for text
        try:
            return np.fromstring(text, dtype=dtype, sep=" ")
        except (DeprecationWarning, ValueError):
            raise InputError(f"{path}: a vertex or a face is not of numbers") from None


def _counted_from_start(
    lines: list[bytes], corners: NDArray[np.int64], num_corners: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Replace negative vertex numbers, which count back from the face, by positive ones."""
    vertices = [number for number, line in enumerate(lines) if line.startswith(_VERTEX)]
    faces = [number for number, line in enumerate(lines) if line.startswith(_FACE)]
    before = np.repeat(np.searchsorted(vertices, faces), num_corners)
    return np.where(corners < 0, before + corners + 1, corners)


def _fans(corners: NDArray[np.int64], num_corners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split each face with n corners into n - 2 triangles (T, 3) around its first corner."""
    starts = np.cumsum(num_corners) - num_corners
    count = np.maximum(num_corners - 2, 0)
    first = np.repeat(starts, count)
    step = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], axis=1)
