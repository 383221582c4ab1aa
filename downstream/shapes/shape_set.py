"""The folder of one shape set: many small shapes of one category, one after another.

``coord.npy`` (P, 3) float32, and where they are known ``normal.npy`` (P, 3) float32 and
``part.npy`` (P,) int32, hold the points of all S shapes; ``offsets.npy`` (S+1,) int64 says where
each begins: shape s owns rows ``offsets[s]:offsets[s + 1]``. ``meta.json`` holds the ids of the
shapes, what the numbers mean, and the size and SHA-256 of each file. A folder is there whole or
not at all. ShapeNet as a folder a shape would be 150,000 files.

A converted dataset is a folder of such folders, and ``splits.json``: split -> ``<folder>/<id>``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from pointcontrast.files import read_json, write_json

SPLITS_FILE = "splits.json"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One shape. N points, in its dataset's own unit and frame.

    Attributes:
        id: unique in its set, without ``/``.
        coord: (N, 3) float32, N >= 1, finite.
        normal: (N, 3) float32 unit vectors, 0 0 0 where the surface has no direction; or None.
        part: (N,) int32 rows of the set's ``part_names``; or None.
    """

    id: str
    coord: NDArray[np.float32]
    normal: NDArray[np.float32] | None = None
    part: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        """The number of points."""
        return len(self.coord)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that are there, by the names of their files without ``.npy``."""
        return {name: value for name in DTYPES if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, kw_only=True)
class ShapeSetInfo:
    """What is true of all shapes of a set.

    Attributes:
        category: their class, a row of ``category_names``.
        category_names: the categories of the whole dataset, the same in each of its sets.
        part_names: the parts of all categories, the same in each set; empty without ``part``.
        up_axis: a key of :data:`pointcontrast.labelled_scene.UP_AXES`.
        source: where the shapes come from, for people; plain JSON values.
        settings: what decides the content, to tell whether it must be made again; JSON values.
    """

    category: int
    category_names: tuple[str, ...]
    part_names: tuple[str, ...] = ()
    up_axis: str = "y"
    source: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ShapeSet(ShapeSetInfo):
    """The S shapes of one folder. P points in all; their arrays are memory-mapped, read-only.

    Attributes:
        ids: of the shapes, in order.
        offsets: (S+1,) int64, rising from 0 to P.
        coord: (P, 3) float32.
        normal: (P, 3) float32; or None.
        part: (P,) int32; or None.
        left_out: id -> reason, of the shapes that could not be used.
    """

    ids: tuple[str, ...]
    offsets: NDArray[np.int64]
    coord: NDArray[np.float32]
    normal: NDArray[np.float32] | None = None
    part: NDArray[np.int32] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of shapes."""
        return len(self.ids)

    def shape(self, index: int) -> Shape:
        """Shape ``index`` of 0..S-1; its arrays are views, read from the disk when touched.

        Raises:
            IndexError: there is no such shape.
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
    """Open a shape set: its ``meta.json``, headers and offsets are read, its points are not.

    Raises:
        InputError: a file is missing, damaged, or not as :class:`ShapeSet` says.
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
        InputError: ``root`` is not a folder, or there is none.
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
    """Read every byte of a shape set and say all that is wrong: values, checksums, files."""
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


def write_splits(root: Path, splits: Mapping[str, Sequence[str]]) -> None:
    """Write ``splits.json`` of a folder of shape sets.

    Args:
        root: the folder.
        splits: split, one of ``SPLITS`` -> names ``<folder>/<id>``; one that is absent is empty.

    Raises:
        InputError: an unknown split, a shape that is in two or twice in one, or that no set holds.
    """
    _check_splits(root, splits)
    names = {split: sorted(splits.get(split, ())) for split in SPLITS}
    write_json(root / SPLITS_FILE, names)


def read_splits(root: Path) -> dict[str, tuple[str, ...]]:
    """Read ``splits.json`` of a folder of shape sets.

    Returns:
        Each of ``SPLITS`` -> names ``<folder>/<id>``, sorted; some may be empty.

    Raises:
        InputError: the file is missing or damaged, or names a shape that no set holds.
    """
    file = root / SPLITS_FILE
    if not file.exists():
        raise InputError(
            f"{file} does not exist; run the dataset's script of datasets/ again, to its end: it "
            "keeps what is finished"
        )
    splits = read_json(file)
    if not isinstance(splits, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in splits.values()
    ):
        raise InputError(f"{file} is damaged: it is not lists of names; convert the release again")
    _check_splits(root, splits)
    return {split: tuple(splits.get(split, ())) for split in SPLITS}


def _map(path: Path, facts: Mapping[str, Any]) -> NDArray[Any]:
    """One array, mapped into memory, if its size is as ``meta.json`` says."""
    if not path.exists():
        raise InputError(f"{path} is missing; {REDO}")
    size = path.stat().st_size
    if size != facts["bytes"]:
        raise InputError(f"{path} is damaged: it has {size} bytes, not {facts['bytes']}; {REDO}")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}); {REDO}") from None


def _check_splits(root: Path, splits: Mapping[str, Sequence[str]]) -> None:
    where = root / SPLITS_FILE
    unknown = [split for split in splits if split not in SPLITS]
    if unknown:
        raise InputError(f"{where}: unknown split {unknown[0]!r}, not one of {list(SPLITS)}")
    held = {
        f"{folder.name}/{shape_id}"
        for folder in find_shape_sets(root)
        for shape_id in read_meta(folder)["ids"]
    }
    seen: dict[str, str] = {}
    for split, names in splits.items():
        for name in names:
            if name not in held:
                raise InputError(
                    f"{where}: {split} lists {name!r}, which no shape set holds; convert the "
                    "release again"
                )
            if name in seen:
                raise InputError(f"{where}: {name!r} is in {seen[name]} and again in {split}")
            seen[name] = split
