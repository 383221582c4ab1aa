"""Reading the file of a reconstruction as points on its surfaces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.origins import origin_of, take_origin_off
from pointcontrast.recordings.file_formats import MESH_SUFFIXES, SURVEY_SUFFIXES
from pointcontrast.recordings.point_files import drop_unknown_points, read_point_file
from pointcontrast.recordings.reconstruction.surface_points import sample_surface
from pointcontrast.recordings.units import doubt_of_metres
from pointcontrast.types import PointCloud

_SUFFIXES = (".ply", *MESH_SUFFIXES, ".pcd", ".xyz", ".xyzn", ".pts", ".xyzrgb", *SURVEY_SUFFIXES)
SUFFIXES = (*_SUFFIXES, *(f"{suffix}.gz" for suffix in _SUFFIXES))
DENSITY = 10_000.0  # points per square metre of a mesh: one per square centimetre
MAX_POINTS = 5_000_000

_SMALLEST, _LARGEST = 0.1, 20_000.0  # metres: a shape, and what fits the map of free places


@dataclass(frozen=True)
class ScanPoints:
    """Points on the surfaces of a reconstruction.

    Attributes:
        cloud: N >= 1 points, metres, relative to ``origin``, with colours and normals where the
            file has them.
        origin: (3,) float64 whole metres, the place of the cloud's zero in the frame of the file;
            zeros for a scan near zero.
        notes: What was guessed or left out, one line each that names the file.
    """

    cloud: PointCloud
    origin: NDArray[np.float64]
    notes: tuple[str, ...]


def read_scan_file(path: Path, unit: float | None = None) -> ScanPoints:
    """Read a reconstruction as points on its surfaces.

    A mesh becomes about one point per square centimetre (fewer above five million points), drawn
    with a fixed seed. A point cloud is taken as it is; of a survey (``.las .laz .e57``) of more
    than five million points, every second, third and so on. Points that are not finite, as depth
    cameras leave them in organised clouds, are dropped and counted.

    Args:
        path: File with one of ``SUFFIXES``, as
            :func:`pointcontrast.recordings.point_files.read_point_file` takes them.
        unit: Metres per unit of the coordinates; None takes what the file states, else metres if
            the scan has the size of one in metres (:mod:`pointcontrast.recordings.units`).

    Raises:
        InputError: Damaged, without a finite point, a mesh with a vertex that is not finite, or of
            a size that no scan in metres has; the message names the option that states the unit.
    """
    stored, _ = drop_unknown_points(path, read_point_file(path, MAX_POINTS))
    points, notes = stored.points, [f"{path}: {note}" for note in stored.notes]
    stated = stored.unit if unit is None else unit
    if stated is None:
        doubt = doubt_of_metres(points, is_mesh=stored.faces is not None)
        if doubt is not None:
            raise InputError(f"{path} {doubt}")
    elif stated != 1:
        points = points * stated
        if unit is None:
            notes.append(f"{path}: its coordinate system has a unit of {stated:g} m: converted")
    if stored.faces is None:
        local, origin = take_origin_off(points)
        cloud = PointCloud(local, stored.colors, stored.normals)
    else:
        origin = origin_of(points)
        rng = np.random.default_rng(0)  # a file gives the same points every time
        cloud = sample_surface(
            points - origin, stored.faces, stored.colors, DENSITY, MAX_POINTS, rng
        )
        if not len(cloud):
            raise InputError(f"{path} has faces without area only; export the mesh again")
    extent = float(np.ptp(cloud.points, axis=0).max())
    if not _SMALLEST <= extent <= _LARGEST:
        raise InputError(
            f"{path} is {extent:.3g} m across, if its unit is the metre: state its unit by --unit "
            "(0.001 for millimetres, 1000 for kilometres), or remove stray points far from the rest"
        )
    return ScanPoints(cloud, origin, tuple(notes))
