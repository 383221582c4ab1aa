"""E57, the exchange format of terrestrial laser scanners (ASTM E2807), read by pye57's libE57.

A file holds scans, each in the frame of the scanner with an optional pose, a unit quaternion and a
translation in metres, that maps it to the frame of the file (asmaloney/libE57Format issue 16).
Coordinates are Cartesian or spherical; ``cartesianInvalidState`` marks points without a return. The
range of the colours stands in ``colorLimits``. The parts of a quaternion are read by their names:
their order in the file is free.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.optional_packages import require
from pointcontrast.recordings.file_formats.columns import Columns
from pointcontrast.recordings.file_formats.thinning import kept_rows, thinning_note
from pointcontrast.recordings.quaternions import pose_from_quaternion

_CHUNK = 1_000_000  # points
_CARTESIAN = ("cartesianX", "cartesianY", "cartesianZ")
_SPHERICAL = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
_INVALID = ("cartesianInvalidState", "sphericalInvalidState")
_COLORS = ("colorRed", "colorGreen", "colorBlue")


@dataclass(frozen=True)
class E57Scan:
    """One scan of an E57 file.

    Attributes:
        columns: Points with a return, in the scanner's frame, metres; intensity among the fields.
        pose: (4, 4) float64, frame of the file from the scanner's; None where the file has none.
        name: Name in the file, or empty.
    """

    columns: Columns
    pose: NDArray[np.float64] | None
    name: str


class E57File:
    """The scans of an E57 file, read one at a time."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            InputError: pye57 is not installed, or the file is damaged or no E57.
            OSError: The file is absent or unreadable.
        """
        self._e57 = require("pye57", "pye57", f"{path}: reading E57").libe57
        path.open("rb").close()  # a missing or unreadable file is an OSError here
        self.path = path
        with self._damage():
            self._file = self._e57.ImageFile(str(path), "r")
            self._scans = self._file.root()["data3D"]

    def __len__(self) -> int:
        """Return the number of scans."""
        return len(self._scans)

    @property
    def num_poses(self) -> int:
        """The number of scans with a pose."""
        with self._damage():
            return sum(self._scans[i].isDefined("pose") for i in range(len(self)))

    def read(self, index: int, max_points: int | None = None) -> E57Scan:
        """Read scan ``index``; of more than ``max_points``, every second, third and so on.

        Raises:
            InputError: The scan is damaged, or has neither Cartesian nor spherical coordinates.
        """
        with self._damage():
            node = self._scans[index]
            name = node["name"].value() if node.isDefined("name") else ""
            return E57Scan(self._columns(node, max_points), self.pose(index), name)

    def pose(self, index: int) -> NDArray[np.float64] | None:
        """The pose of scan ``index``: (4, 4) float64, frame of the file from the scanner's."""
        node = self._scans[index]
        if not node.isDefined("pose"):
            return None
        pose, quaternion, translation = node["pose"], (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0)
        if pose.isDefined("rotation"):
            quaternion = tuple(pose["rotation"][part].value() for part in "xyzw")
        if pose.isDefined("translation"):
            translation = tuple(pose["translation"][part].value() for part in "xyz")
        return pose_from_quaternion(translation, quaternion, f"{self.path}: scan {index}")

    def _columns(self, node: Any, max_points: int | None) -> Columns:
        points = node["points"]
        prototype = self._e57.StructureNode(points.prototype())
        names = {prototype.get(i).elementName() for i in range(prototype.childCount())}
        places = next((each for each in (_CARTESIAN, _SPHERICAL) if set(each) <= names), None)
        if places is None:
            raise InputError(
                f"{self.path}: a scan has {', '.join(sorted(names))}, but neither Cartesian nor "
                "spherical coordinates; export it again"
            )
        invalid = [name for name in _INVALID if name in names]
        colored = set(_COLORS) <= names
        wanted = [*places, *invalid, *(_COLORS if colored else ())]
        wanted += ["intensity"] if "intensity" in names else []
        count = points.childCount()
        step = kept_rows(count, max_points)
        table = self._table(points, wanted, count, step)
        valid = np.ones(len(table[places[0]]), bool)
        for name in invalid:
            valid &= table[name] == 0
        xyz = np.stack([table[name][valid] for name in places], axis=1)
        colors = None
        if colored:
            colors = np.stack([table[name][valid] for name in _COLORS], axis=1)
            colors = _as_bytes(colors, _largest_color(node))
        fields = {"intensity": table["intensity"][valid]} if "intensity" in table else {}
        return Columns(
            points=xyz if places is _CARTESIAN else _from_spherical(xyz),
            colors=colors,
            fields=fields,
            unit=1.0,
            notes=thinning_note(step, count),
        )

    def _table(
        self, points: Any, names: list[str], count: int, step: int
    ) -> dict[str, NDArray[np.float64]]:
        """Read columns, a chunk at a time, keeping every ``step``-th row."""
        size = max(1, min(_CHUNK, count))
        chunk = {name: np.empty(size) for name in names}
        buffers = self._e57.VectorSourceDestBuffer()
        for name, array in chunk.items():
            # numbers as the file means them: converted to float64, integers scaled
            buffers.append(self._e57.SourceDestBuffer(self._file, name, array, size, True, True))
        parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
        reader = points.reader(buffers)
        read = 0
        while read < count and (found := reader.read()):
            rows = slice(-read % step, found, step)
            read += found
            for name, array in chunk.items():
                parts[name].append(array[rows].copy())
        reader.close()
        return {name: np.concatenate([np.empty(0), *arrays]) for name, arrays in parts.items()}

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Report libE57's errors in one line."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # libE57 raises its own class, and pybind11 others
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.path} is damaged or cut short ({reason}); export it again"
            ) from None


def num_scans(path: Path) -> int:
    """Return the number of scans of a file, 0 where it cannot be opened."""
    try:
        return len(E57File(path))
    except (InputError, OSError):
        return 0


def read_e57(path: Path, max_points: int | None = None) -> Columns:
    """Read all scans of a file as one cloud, in the frame of the file."""
    file = E57File(path)
    limit = None if max_points is None else max(1, max_points // max(1, len(file)))
    scans = [file.read(index, limit) for index in range(len(file))]
    if not scans:
        raise InputError(f"{path} holds no scan; export it again")
    parts = [scan.columns for scan in scans]
    points = [
        each.columns.points
        if each.pose is None
        else each.columns.points @ each.pose[:3, :3].T + each.pose[:3, 3]
        for each in scans
    ]
    colors = [part.colors for part in parts if part.colors is not None]
    intensity = [part.fields["intensity"] for part in parts if "intensity" in part.fields]
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    if 0 < len(colors) < len(parts):
        notes = (*notes, f"{len(parts) - len(colors)} of its {len(parts)} scans have no colours")
    return Columns(
        points=np.concatenate(points),
        colors=np.concatenate(colors) if len(colors) == len(parts) else None,
        fields={"intensity": np.concatenate(intensity)} if len(intensity) == len(parts) else {},
        unit=1.0,
        notes=notes,
    )


def _from_spherical(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cartesian coordinates of range, azimuth and elevation (radians)."""
    distance, azimuth, elevation = table.T
    level = distance * np.cos(elevation)
    return np.stack(
        [level * np.cos(azimuth), level * np.sin(azimuth), distance * np.sin(elevation)], axis=1
    )


def _largest_color(node: Any) -> float | None:
    """The largest colour that a scan can have, or None where the file does not say."""
    try:
        limits = node["colorLimits"]
        return max(float(limits[f"{name}Maximum"].value()) for name in _COLORS)
    except Exception:  # libE57's class, for a node that is not there
        return None


def _as_bytes(colors: NDArray[np.float64], largest: float | None) -> NDArray[Any]:
    """Colours as the rule of :mod:`pointcontrast.colors` takes them, by the stated limit."""
    high = colors.max(initial=0)
    if largest is not None and largest > 0 and high <= largest:
        return np.rint(colors * (255 / largest)).astype(np.uint8)
    return colors.astype(np.uint16) if high > 1 else colors
