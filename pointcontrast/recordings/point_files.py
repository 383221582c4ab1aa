"""Point clouds and meshes from files of any common format, by one set of rules."""

from __future__ import annotations

import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import plyfile
from numpy.typing import NDArray

from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats import read_columns

# NumPy's and plyfile's readers report damage in all these ways.
_DAMAGE = (
    *(ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError),
    *(SyntaxError, tokenize.TokenError, plyfile.PlyParseError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError),
)


@dataclass(frozen=True)
class StoredPoints:
    """Points of a file, in its own frame and unit.

    Attributes:
        points: (N, 3) float64, N >= 1; vertices of a mesh. They may be NaN or infinite.
        colors: (N, 3) uint8 RGB, or None.
        normals: (N, 3) float32 unit vectors, 0 0 0 where the file has no direction; or None.
        faces: (F, 3) int64 rows of ``points``, F >= 1; None for a point cloud.
        fields: Name in the file -> (N,) numbers or words: every other column, such as intensity,
            classification or labels.
        unit: Metres per unit of the coordinates, if the file states it.
        notes: What was guessed or left out, one line each, without the name of the file.
    """

    points: NDArray[np.float64]
    colors: NDArray[np.uint8] | None
    normals: NDArray[np.float32] | None
    faces: NDArray[np.int64] | None
    fields: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    unit: float | None = None
    notes: tuple[str, ...] = ()

    def take(self, rows: NDArray[np.int64]) -> StoredPoints:
        """Return some points of a cloud, in the order of ``rows``."""
        assert self.faces is None
        return replace(
            self,
            points=self.points[rows],
            colors=None if self.colors is None else self.colors[rows],
            normals=None if self.normals is None else self.normals[rows],
            fields={name: values[rows] for name, values in self.fields.items()},
        )


def drop_unknown_points(
    path: Path, stored: StoredPoints
) -> tuple[StoredPoints, NDArray[np.int64] | None]:
    """Leave out points without finite coordinates, as depth cameras leave them in their clouds.

    Args:
        path: File of the points, for messages.
        stored: Points of a file.

    Returns:
        The points, with a note where some were left out; and the rows of those that were kept,
        None where all were.

    Raises:
        InputError: No point is finite, or a vertex of a mesh is not.
    """
    rows = np.flatnonzero(np.isfinite(stored.points).all(axis=1))
    total = len(stored.points)
    if len(rows) == total:
        return stored, None
    if stored.faces is not None:
        raise InputError(f"{path} has vertices that are not finite; repair the mesh")
    if not len(rows):
        raise InputError(f"{path} holds no point with finite coordinates; is it damaged?")
    dropped = total - len(rows)
    note = f"{dropped:,} of {total:,} points without finite coordinates are left out"
    return replace(stored.take(rows), notes=(*stored.notes, note)), rows


def read_point_file(path: Path, max_points: int | None = None) -> StoredPoints:
    """Read a point cloud or a mesh.

    ========================= ==================================================================
    ``.bin``                  equal records of numbers, x y z first; their size is told from
                              the numbers (:mod:`pointcontrast.recordings.binary_records`)
    ``.npy``                  (N, 3 or more) numbers, x y z first, or named columns
    ``.npz``                  arrays points, colors, normals, faces; others of N values are fields
    ``.ply``                  vertices and faces, ASCII or binary
    ``.pcd``                  ASCII, binary or compressed; organised clouds; packed colours
    ``.txt .asc .csv .xyz     text, separated by spaces, tabs, commas or semicolons, with or
    .xyzn .xyzrgb .pts``      without a header line with names and a number of points
    ``.obj .off .stl .glb     meshes; polygons become triangles that share their first corner
    .gltf``
    ``.las .laz``             scaled coordinates, colours, intensity, classification (laspy)
    ``.e57``                  all scans in the frame of the file (pye57)
    ========================= ==================================================================

    Each suffix may be followed by ``.gz``. Columns are told by their names, such as red green blue,
    diffuse_red, r g b, one packed rgb, nx ny nz; where a text or an array has no names, by their
    values, which is noted. The form of colours is told by
    :func:`pointcontrast.colors.as_uint8_colors`. Textures are not read: the colours of a mesh are
    those of its vertices. Nothing in an OBJ tells that it was cut short between two faces.

    Args:
        path: File with a suffix of :data:`pointcontrast.recordings.file_formats.READERS`.
        max_points: Largest number of points of ``.las``, ``.laz`` and ``.e57``; of more, every
            second, third and so on is read. None reads all.

    Returns:
        Its points, at least one.

    Raises:
        InputError: Absent, unreadable, of an unknown suffix, damaged, without points, with colours
            of an unknown form, or in a format whose package is not installed.
    """
    try:
        # NumPy warns of texts without a row, refused below, and of numbers beyond all sense
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", UserWarning)
            columns = read_columns(path, max_points)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is damaged or cut short ({reason}); export it again") from None
    if not len(columns.points):
        raise InputError(f"{path} holds no points; is it damaged? Export it again")
    with np.errstate(invalid="ignore"):  # bits that are no number, in damaged files
        points = np.ascontiguousarray(columns.points, dtype=np.float64)
    normals, faces = columns.normals, columns.faces
    return StoredPoints(
        points,
        None if columns.colors is None else _bytes(path, columns.colors, points),
        None if normals is None else _unit(normals),
        None if faces is None else _checked_faces(path, faces, len(points)),
        columns.fields,
        columns.unit,
        columns.notes,
    )


def _bytes(path: Path, colors: NDArray[Any], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Bring colours to uint8; those of points that do not exist do not count."""
    if colors.dtype.kind == "f":
        absent = ~np.isfinite(points).all(axis=1, keepdims=True)
        if absent.any():
            colors = np.where(absent, 0, colors)
    return as_uint8_colors(colors, str(path))


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
