"""Shapes on disk: one folder a category with all of its shapes, one after another.

Tens of thousands of little clouds would be as many folders of files; here each array of a
category is one file, which is mapped into memory. ``coord.npy`` (P, 3) float32, in the units of
the release, and ``offsets.npy`` (S+1,) int64 are always there; ``normal.npy`` (P, 3) float32 and
``part.npy`` (P,) int32 where they are known. ``meta.json`` names the shapes and says what the
arrays mean; ``splits.json`` above the folders lists the shapes of each split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_folder, read_json, sha256, write_json
from pointcontrast.labelled_scene import UP_AXES

FORMAT = "pointcontrast-shapes"
FORMAT_VERSION = 1
SPLITS_FILE = "splits.json"
SPLITS = ("train", "validation", "test")
REDO = "convert the release again"

_DTYPES: dict[str, tuple[type, int | None]] = {
    "coord": (np.float32, 3),
    "offsets": (np.int64, None),
    "normal": (np.float32, 3),
    "part": (np.int32, None),
}


@dataclass(frozen=True)
class Shape:
    """One shape. N points.

    Attributes:
        id: its name in the release.
        coord: (N, 3) float32.
        normal: (N, 3) float32 unit vectors, or None.
        part: (N,) int32 rows of the set's part names, or None.
    """

    id: str
    coord: NDArray[np.float32]
    normal: NDArray[np.float32] | None = None
    part: NDArray[np.int32] | None = None


@dataclass(frozen=True, kw_only=True)
class ShapeSet:
    """All shapes of a category. S shapes, P points in all.

    Attributes:
        coord: (P, 3) float32, finite.
        offsets: (S+1,) int64: shape s owns rows ``offsets[s]:offsets[s + 1]``, at least one.
        normal: (P, 3) float32, or None.
        part: (P,) int32 rows of ``part_names``, or None.
        ids: of the shapes, each once.
        category: row of ``category_names``.
        category_names: all categories of the dataset.
        part_names: all parts of the dataset; empty where there are none.
        up_axis: as of a labelled scene.
        source: where the shapes come from, for people; JSON values.
        settings: what decides the content; JSON values.
        details: what else is known, such as shapes left out and why; JSON values.
    """

    coord: NDArray[np.float32]
    offsets: NDArray[np.int64]
    normal: NDArray[np.float32] | None = None
    part: NDArray[np.int32] | None = None
    ids: tuple[str, ...]
    category: int
    category_names: tuple[str, ...]
    part_names: tuple[str, ...] = ()
    up_axis: str = "y"
    source: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of shapes."""
        return len(self.ids)

    def shape(self, index: int) -> Shape:
        """The shape of that number."""
        rows = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return Shape(
            id=self.ids[index],
            coord=self.coord[rows],
            normal=None if self.normal is None else self.normal[rows],
            part=None if self.part is None else self.part[rows],
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that are there, by the names of their files without ``.npy``."""
        return {name: value for name in _DTYPES if (value := getattr(self, name)) is not None}


def joined_shapes(shapes: Sequence[Shape], **meta: Any) -> ShapeSet:
    """A set of shapes that all know as much; ``meta`` is the rest of its attributes."""
    first = shapes[0]
    return ShapeSet(
        coord=np.concatenate([shape.coord for shape in shapes]),
        offsets=np.cumsum([0, *(len(shape.coord) for shape in shapes)]).astype(np.int64),
        normal=None if first.normal is None else np.concatenate([s.normal for s in shapes]),  # pyright: ignore[reportArgumentType, reportCallIssue]
        part=None if first.part is None else np.concatenate([s.part for s in shapes]),  # pyright: ignore[reportArgumentType, reportCallIssue]
        ids=tuple(shape.id for shape in shapes),
        **meta,
    )


def write_shape_set(folder: Path, shapes: ShapeSet) -> None:
    """Write a set, atomically.

    Raises:
        InputError: it is not as :class:`ShapeSet` says.
    """
    _check(f"the shapes for {folder}", shapes, values=True)
    with atomic_folder(folder) as partial:
        for name, array in shapes.arrays().items():
            np.save(partial / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
        meta: dict[str, Any] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "ids": list(shapes.ids),
            "category": shapes.category,
            "category_names": list(shapes.category_names),
            "part_names": list(shapes.part_names),
            "up_axis": shapes.up_axis,
            "source": dict(shapes.source),
            "settings": dict(shapes.settings),
            "details": dict(shapes.details),
            "files": {path.name: _facts(path) for path in sorted(partial.glob("*.npy"))},
        }
        write_json(partial / "meta.json", meta)


def read_shape_set(folder: Path, check_values: bool = False) -> ShapeSet:
    """Read a set; its arrays are mapped into memory.

    Args:
        folder: of the set.
        check_values: look at every value; False trusts them.

    Raises:
        InputError: a file is missing, damaged or not as :class:`ShapeSet` says.
    """
    file = folder / "meta.json"
    if not file.is_file():
        raise InputError(f"{folder} is no set of shapes: it has no meta.json; {REDO}")
    meta = read_json(file)
    if not isinstance(meta, dict) or (meta.get("format"), meta.get("format_version")) != (
        FORMAT,
        FORMAT_VERSION,
    ):
        raise InputError(f"{file} is not of format {FORMAT} version {FORMAT_VERSION}; {REDO}")
    arrays: dict[str, Any] = {}
    try:
        for name in _DTYPES:
            facts = meta["files"].get(f"{name}.npy")
            if facts is not None:
                arrays[name] = _map(folder / f"{name}.npy", facts["bytes"])
        shapes = ShapeSet(
            **arrays,
            ids=tuple(meta["ids"]),
            category_names=tuple(meta["category_names"]),
            part_names=tuple(meta["part_names"]),
            **{k: meta[k] for k in ("category", "up_axis", "source", "settings", "details")},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged ({type(error).__name__}: {error}); {REDO}") from None
    _check(str(folder), shapes, values=check_values)
    return shapes


def find_shape_sets(root: Path) -> list[Path]:
    """The folders of the sets in ``root``, sorted.

    Raises:
        InputError: ``root`` is not a folder or holds none.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give a folder of shape sets")
    found = sorted(path.parent for path in root.glob("*/offsets.npy"))
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        raise InputError(
            f"{root} holds no set of shapes; make them with datasets/shapenetpart.py or "
            "datasets/shapenet.py"
        )
    return found


def problems_of_shape_set(folder: Path) -> list[str]:
    """Read every byte of a set and say all that is wrong: values, checksums, strange files."""
    try:
        shapes = read_shape_set(folder, check_values=True)
    except InputError as error:
        return [str(error)]
    files = read_json(folder / "meta.json")["files"]
    found = [
        f"{folder / name} is damaged (its checksum differs); {REDO}"
        for name, facts in files.items()
        if _facts(folder / name) != facts
    ]
    known = {f"{name}.npy" for name in shapes.arrays()} | {"meta.json"}
    found += [
        f"{path} does not belong to the set; remove it"
        for path in sorted(folder.iterdir())
        if path.name not in known
    ]
    return found


def write_splits(root: Path, splits: Mapping[str, Sequence[str]]) -> None:
    """Write which shapes, as ``<set>/<id>``, belong to train, validation and test."""
    write_json(root / SPLITS_FILE, {split: sorted(splits[split]) for split in SPLITS})


def read_splits(root: Path) -> dict[str, list[str]]:
    """The shapes of each split.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = root / SPLITS_FILE
    if not path.is_file():
        raise InputError(f"{path} does not exist; {REDO}")
    value = read_json(path)
    if not isinstance(value, dict) or not all(isinstance(value.get(s), list) for s in SPLITS):
        raise InputError(f"{path} has no lists under {', '.join(SPLITS)}; {REDO}")
    return {split: value[split] for split in SPLITS}


def _map(path: Path, num_bytes: int) -> NDArray[Any]:
    if not path.is_file():
        raise InputError(f"{path} is missing; {REDO}")
    if path.stat().st_size != num_bytes:
        raise InputError(
            f"{path} is damaged: it has {path.stat().st_size} bytes, not {num_bytes}; {REDO}"
        )
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}); {REDO}") from None


def _check(where: str, shapes: ShapeSet, *, values: bool) -> None:
    num_points = len(shapes.coord)
    for name, array in shapes.arrays().items():
        dtype, columns = _DTYPES[name]
        rows = len(shapes.ids) + 1 if name == "offsets" else num_points
        wanted = (rows,) if columns is None else (rows, columns)
        if array.dtype != dtype or array.shape != wanted:
            raise InputError(
                f"{where}: {name} must be {np.dtype(dtype).name} {wanted}, it is {array.dtype} "
                f"{array.shape}; {REDO}"
            )
    offsets = np.asarray(shapes.offsets)
    if offsets[0] != 0 or offsets[-1] != num_points or (np.diff(offsets) < 1).any():
        raise InputError(f"{where}: offsets do not cut {num_points} points into shapes; {REDO}")
    if len(set(shapes.ids)) < len(shapes.ids) or not all(isinstance(i, str) for i in shapes.ids):
        raise InputError(f"{where}: ids must be different words; {REDO}")
    if not 0 <= shapes.category < len(shapes.category_names):
        raise InputError(f"{where}: category {shapes.category} has no name; {REDO}")
    if shapes.up_axis not in UP_AXES:
        raise InputError(f"{where}: up_axis {shapes.up_axis!r} must be one of {list(UP_AXES)}")
    if not values:
        return
    for name in ("coord", "normal"):
        array = getattr(shapes, name)
        if array is not None and not np.isfinite(array).all():
            raise InputError(f"{where}: {name} holds NaN or infinity; {REDO}")
    part = shapes.part
    if part is not None and not 0 <= part.min() <= part.max() < len(shapes.part_names):
        raise InputError(
            f"{where}: part holds {part.min()}..{part.max()}, and there are "
            f"{len(shapes.part_names)} parts; {REDO}"
        )


def _facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}
