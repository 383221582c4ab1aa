"""Folder of a shape set: many small shapes of a category, concatenated.

``coord.npy`` (P, 3) float32 and, if known, ``normal.npy`` (P, 3) float32 and ``part.npy`` (P,)
int32 have the points of all S shapes. ``offsets.npy`` (S+1,) int64 has their boundaries: shape s
owns rows ``offsets[s]:offsets[s + 1]``. ``meta.json`` has the ids of the shapes, the meaning of the
numbers, and the size and SHA-256 of each file. A folder is written completely or not at all. With a
folder per shape, ShapeNet would have 150,000 files.

A converted dataset is a folder of shape sets with ``splits.json`` (``splits``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.shapes.checks import (
    DTYPES,
    META,
    OFFSETS,
    REDO,
    ROW_SHAPES,
    check_points,
    file_facts,
    read_meta,
)
from pointcontrast.errors import InputError
from pointcontrast.files import read_json


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Shape of N points, in the unit and frame of its dataset.

    Attributes:
        id: Id, unique in its set and without ``/``.
        coord: Positions (N, 3) float32, finite; N >= 1.
        normal: Unit normals (N, 3) float32, 0 0 0 where undefined; or None.
        part: Rows of the set's ``part_names`` (N,) int32; or None.
    """

    id: str
    coord: NDArray[np.float32]
    normal: NDArray[np.float32] | None = None
    part: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.coord)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that are not None, by the names of their files without ``.npy``."""
        return {name: value for name in DTYPES if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, kw_only=True)
class ShapeSetInfo:
    """Description of a shape set.

    Attributes:
        category: Category of the shapes, a row of ``category_names``.
        category_names: Categories of the whole dataset, the same in each of its sets.
        part_names: Parts of all categories, the same in each set; empty without ``part``.
        up_axis: Up axis, a key of :data:`pointcontrast.labelled_scene.UP_AXES`.
        source: Origin of the shapes, for information; JSON values.
        settings: Everything that determines the content, to detect changes; JSON values.
    """

    category: int
    category_names: tuple[str, ...]
    part_names: tuple[str, ...] = ()
    up_axis: str = "y"
    source: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ShapeSet(ShapeSetInfo):
    """Shapes of a folder: S shapes with P points in total, in memory-mapped, read-only arrays.

    Attributes:
        ids: Ids of the shapes.
        offsets: Boundaries (S+1,) int64, ascending from 0 to P.
        coord: Positions (P, 3) float32.
        normal: Unit normals (P, 3) float32; or None.
        part: Rows of ``part_names`` (P,) int32; or None.
        left_out: Id -> reason, for the shapes that could not be used.
    """

    ids: tuple[str, ...]
    offsets: NDArray[np.int64]
    coord: NDArray[np.float32]
    normal: NDArray[np.float32] | None = None
    part: NDArray[np.int32] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of shapes."""
        return len(self.ids)

    def shape(self, index: int) -> Shape:
        """Return shape ``index``, 0..S-1; its arrays are views, read from disk on access.

        Raises:
            IndexError: The index is out of range.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"shape {index} of {len(self)}")
        rows = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return Shape(
            id=self.ids[index],
            coord=np.asarray(self.coord[rows]),
            normal=None if self.normal is None else np.asarray(self.normal[rows]),
            part=None if self.part is None else np.asarray(self.part[rows]),
        )


def read_shape_set(folder: Path) -> ShapeSet:
    """Open a shape set. ``meta.json``, array headers and offsets are read, points are not.

    Raises:
        InputError: A file is missing, damaged, or not as :class:`ShapeSet` describes.
    """
    meta = read_meta(folder)
    arrays = {Path(file).stem: _map(folder / file, facts) for file, facts in meta["files"].items()}
    offsets = np.array(arrays.pop("offsets"))
    num_points = len(arrays["coord"])
    if (
        offsets.shape != (len(meta["ids"]) + 1,)
        or offsets.dtype != np.int64
        or (offsets[0], offsets[-1]) != (0, num_points)
        or (np.diff(offsets) < 1).any()
    ):
        raise InputError(
            f"{folder / OFFSETS} does not divide {num_points} points among {len(meta['ids'])} "
            f"shapes; {REDO}"
        )
    for name, array in arrays.items():
        shape = (num_points, *ROW_SHAPES[name])
        if array.shape != shape or array.dtype != DTYPES[name]:
            raise InputError(
                f"{folder / name}.npy holds {array.dtype} {array.shape}, not "
                f"{np.dtype(DTYPES[name])} {shape}; {REDO}"
            )
    return ShapeSet(
        **arrays,
        ids=tuple(meta["ids"]),
        offsets=offsets,
        category=meta["category_index"],
        category_names=tuple(meta["category_names"]),
        part_names=tuple(meta["part_names"]),
        up_axis=meta["up_axis"],
        source=meta["source"],
        settings=meta["settings"],
        left_out=meta["left_out"],
    )


def find_shape_sets(root: Path) -> list[Path]:
    """Find the shape sets directly below ``root``, or ``root`` itself, sorted by name.

    Raises:
        InputError: ``root`` is not a folder or has no shape set.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give a folder of shape sets")
    found = sorted(
        path
        for path in (root, *root.iterdir())
        if (path / OFFSETS).is_file() and not path.name.startswith(".")
    )
    if not found:
        raise InputError(
            f"{root} holds no shape set (a folder with {OFFSETS} and {META}); make some with "
            "datasets/shapenetpart.py or datasets/shapenet.py"
        )
    return found


def problems_of_shape_set(folder: Path) -> list[str]:
    """Read every byte of a shape set; return problems of values, checksums and files."""
    try:
        shapes = read_shape_set(folder)
        arrays = {name: value for name in DTYPES if (value := getattr(shapes, name)) is not None}
        check_points(str(folder), arrays, len(shapes.part_names))
    except InputError as error:
        return [str(error)]
    files = read_json(folder / META)["files"]
    found = [
        f"{folder / name} is damaged (its checksum differs); {REDO}"
        for name, facts in files.items()
        if file_facts(folder / name) != facts
    ]
    return found + [
        f"{path} does not belong to the shape set; remove it"
        for path in sorted(folder.iterdir())
        if path.name not in {*files, META}
    ]


def _map(path: Path, facts: Mapping[str, Any]) -> NDArray[Any]:
    """Memory-map an array whose size agrees with ``meta.json``."""
    if not path.exists():
        raise InputError(f"{path} is missing; {REDO}")
    size = path.stat().st_size
    if size != facts["bytes"]:
        raise InputError(f"{path} is damaged: it has {size} bytes, not {facts['bytes']}; {REDO}")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}); {REDO}") from None
