"""One scan to apply a network to: a point cloud, a mesh, or a labelled scene."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import read_labelled_scene
from pointcontrast.recordings.file_formats import READERS, format_of
from pointcontrast.recordings.point_files import drop_unknown_points, read_point_file
from pointcontrast.recordings.reconstruction.scan_files import DENSITY, MAX_POINTS
from pointcontrast.recordings.reconstruction.surface_points import sample_surface
from pointcontrast.recordings.units import doubt_of_metres

_ONLY_BY_NAME = (".csv", ".npz")
"""Formats of many other things, results of predict.py among them: never searched for."""


@dataclass(frozen=True, kw_only=True)
class SingleScan:
    """Points to report on, and what the network sees besides. N points.

    Attributes:
        name: File name without its suffix, or the folder's name.
        points: (N, 3) float64, metres, in the frame of the file, all finite; vertices of a mesh.
        unit: Metres per unit of the coordinates in the file.
        colors: (N, 3) uint8 RGB, or None.
        normals: (N, 3) float32 unit vectors, or None.
        faces: (F, 3) int64 rows of ``points``, or None where the scan is no mesh.
        rows: (N,) int64 rows of the points in the file, or None where all are there. Points
            without finite coordinates, as depth cameras leave them in organised clouds, are left
            out.
        surface: Points drawn on the faces of a mesh, which the network sees after ``points``; no
            point where the scan is no mesh.
        surface_colors: RGB of the points on the faces, or None.
        surface_normals: Normals of the points on the faces, or None.
        labels: (N,) int32 ground truth, rows of ``class_names``; None where it is not known.
        class_names: Classes of a labelled scene; else empty.
        up: (3,) up direction, if the file states it.
        notes: What was guessed or left out, one line each, without the name of the file.
    """

    name: str
    points: NDArray[np.float64]
    colors: NDArray[np.uint8] | None
    normals: NDArray[np.float32] | None
    faces: NDArray[np.int64] | None = None
    rows: NDArray[np.int64] | None = None
    surface: NDArray[np.float64]
    surface_colors: NDArray[np.uint8] | None = None
    surface_normals: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | None = None
    class_names: tuple[str, ...] = ()
    up: tuple[float, float, float] | None = None
    unit: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def file_points(self) -> NDArray[np.float64]:
        """``points`` in the unit of the file, as results are written."""
        return self.points if self.unit == 1 else self.points / self.unit

    @property
    def seen_points(self) -> NDArray[np.float64]:
        """All points that the network sees, ``points`` first."""
        return np.concatenate([self.points, self.surface])

    @property
    def seen_colors(self) -> NDArray[np.uint8] | None:
        """Their colours, or None."""
        if self.colors is None or self.surface_colors is None:
            return self.colors
        return np.concatenate([self.colors, self.surface_colors])

    @property
    def seen_normals(self) -> NDArray[np.float32] | None:
        """Their normals, or None."""
        if self.normals is None or self.surface_normals is None:
            return self.normals
        return np.concatenate([self.normals, self.surface_normals])


def find_scans(paths: Sequence[Path]) -> list[Path]:
    """Find the scans that some paths name: files, labelled scenes, and folders of either.

    Args:
        paths: A file in a format of :data:`pointcontrast.recordings.file_formats.READERS`, the
            folder of a labelled scene, or a folder that holds such files or folders at any depth.

    Returns:
        Files and folders of labelled scenes, sorted within each folder.

    Raises:
        InputError: A path does not exist, or a folder holds no scan.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist")
        if not path.is_dir():
            found.append(path)
            continue
        scans = _search(path)
        if not scans:
            raise InputError(
                f"{path} holds no scan; known are labelled scenes and files in the formats "
                f"{', '.join(key for key in READERS if key not in _ONLY_BY_NAME)}"
            )
        found += scans
    once: dict[str, Path] = {}
    for path in found:
        once.setdefault(os.path.abspath(path), path)  # ./room.ply is room.ply
    return list(once.values())


def _search(folder: Path) -> list[Path]:
    if (folder / "coord.npy").is_file() and (folder / "meta.json").is_file():
        return [folder]
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            found += _search(path)
        elif format_of(path) not in (None, *_ONLY_BY_NAME):
            found.append(path)
    return found


def unique_names(scans: Sequence[Path]) -> list[str]:
    """Name the outputs of each scan.

    A name is the scan's stem, with as much of its suffix and its folders as tells scans apart.

    Args:
        scans: Different paths.
    """
    parts = [_parts(path) for path in scans]
    suffixes = [f"_{path.suffix[1:]}" if path.suffix else "" for path in scans]
    for ends in ([""] * len(scans), suffixes):  # room.ply and room.pcd lie in one folder
        for depth in range(1, 1 + max(map(len, parts), default=0)):
            names = ["__".join(each[-depth:]) + end for each, end in zip(parts, ends, strict=True)]
            if len({name.lower() for name in names}) == len(names):
                return names
    raise InputError("two scans differ in the case of their letters only; rename one")


def _parts(path: Path) -> tuple[str, ...]:
    whole = path.resolve()
    return (*whole.parent.parts[1:], whole.name if whole.is_dir() else whole.stem)


def read_single_scan(
    path: Path, name: str, unit: float | None = None, *, any_size: bool = False
) -> SingleScan:
    """Read one scan.

    A mesh gives its vertices, and one point per square centimetre drawn on its faces with a fixed
    seed: a network sees surfaces as densely as in training, however large the triangles.

    Args:
        path: One of :func:`find_scans`.
        name: Name for the outputs.
        unit: Metres per unit of the coordinates; None takes what the file states, else metres, with
            a note where the size is not that of a scan in metres.
        any_size: Whether the size does not matter, as to networks for shapes.

    Raises:
        InputError: The file is damaged, holds no point, or a vertex of a mesh is not finite.
    """
    if path.is_dir():
        return _labelled(path, name)
    stored, rows = drop_unknown_points(path, read_point_file(path))
    points, notes = stored.points, list(stored.notes)
    stated = stored.unit if unit is None else unit
    if stated is None and not any_size:
        doubt = doubt_of_metres(points, is_mesh=stored.faces is not None)
        notes += [f"it {doubt}"] if doubt is not None else []
    elif unit is None and stated is not None and stated != 1:
        notes.append(f"its coordinate system has a unit of {stated:g} m: converted for the network")
    scale = 1.0 if stated is None else stated
    scan = SingleScan(
        name=name,
        points=points if scale == 1 else points * scale,
        colors=stored.colors,
        normals=stored.normals,
        faces=stored.faces,
        rows=rows,
        surface=np.empty((0, 3)),
        unit=scale,
        notes=tuple(notes),
    )
    return scan if stored.faces is None else _with_surface(scan, stored.faces)


def _labelled(path: Path, name: str) -> SingleScan:
    scene = read_labelled_scene(path)
    return SingleScan(
        name=name,
        points=scene.source_points,
        colors=None if scene.color is None else np.asarray(scene.color),
        normals=None if scene.normal is None else np.asarray(scene.normal),
        surface=np.empty((0, 3)),
        labels=None if scene.semantic is None else np.asarray(scene.semantic),
        class_names=scene.class_names,
        up=tuple(scene.up.tolist()),
    )


def _with_surface(scan: SingleScan, faces: NDArray[np.int64]) -> SingleScan:
    """Draw points on the faces of a mesh."""
    origin = np.rint(scan.points.mean(axis=0))  # float32 samples keep their digits about it
    rng = np.random.default_rng(0)
    drawn = sample_surface(scan.points - origin, faces, scan.colors, DENSITY, MAX_POINTS, rng)
    return replace(
        scan,
        surface=drawn.points + origin,
        surface_colors=drawn.colors,
        surface_normals=None if scan.normals is None else drawn.normals,
    )
