"""Lists of points, for training on the labels of a few points per scene.

The protocol is that of limited annotations in the ScanNet data-efficient benchmark. The published
lists are dictionaries from scan id to rows of ``<scan>_vh_clean_2.ply``, saved with ``torch.save``.
ContrastiveSceneContexts writes them in ``downstream/semseg/lib/sampling_points.py`` and reads them
in ``datasets/scannet.py`` (``data.sampled_inds``), Pointcept in ``pointcept/datasets/scannet.py``
(``la_file``).
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.label_lists.published import integers, read_dictionary
from downstream.types import UNANNOTATED
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file

FORMAT = "pointcontrast-points"
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class PointList:
    """Annotated points of many scenes.

    Attributes:
        points: Scene name -> rows of its points (K,) int64.
        num_points: Scene name -> number of points of the scene; empty if the file has none.
        source: Origin of the list, for messages.
        checksums: Scene name -> checksum of the labels at the rows (:func:`label_checksum`), to
            detect points in another order; empty if the file has none.
        meta: How the list was made; JSON values.
    """

    points: Mapping[str, NDArray[np.int64]]
    num_points: Mapping[str, int]
    source: str
    checksums: Mapping[str, int] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scenes, sorted."""
        return tuple(sorted(self.points))

    def indices(
        self, name: str, *, num_points: int, labels: NDArray[np.int32] | None = None
    ) -> NDArray[np.int64]:
        """Return the annotated points of a scene.

        Args:
            name: Name of the scene, or a path that ends with it.
            num_points: Number of points of the scene.
            labels: Labels (N,) of the scene, which must have the order that the list was made for;
                None does not check this.

        Returns:
            Rows (K,) int64.

        Raises:
            InputError: The list does not have the scene, or was made for other points.
        """
        key = name if name in self.points else name.rpartition("/")[2]
        if key not in self.points:
            raise InputError(f"{self.source} does not list {name!r}")
        expected = self.num_points.get(key, num_points)
        if expected != num_points:
            raise InputError(
                f"{self.source} was made for {expected} points of {name!r}, which has "
                f"{num_points} here; {_REDO}"
            )
        rows = self.points[key]
        outside = rows[(rows < 0) | (rows >= num_points)]
        if len(outside):
            raise InputError(
                f"{self.source} names the point {int(outside[-1])} of {name!r}, which has "
                f"{num_points}; it was made for other points"
            )
        checksum = self.checksums.get(key)
        if labels is not None and checksum not in (None, label_checksum(labels, rows)):
            raise InputError(
                f"{self.source} was made for points of {name!r} with other labels, or in another "
                f"order; {_REDO}"
            )
        return rows


_REDO = "convert the data with the settings of the list, or make a new list"


def label_checksum(labels: NDArray[np.int32], rows: NDArray[np.int64]) -> int:
    """Return a checksum of the labels (N,) at some rows, which does not reveal them."""
    return zlib.crc32(np.ascontiguousarray(labels[rows], dtype="<i4").tobytes())


def keep_annotated(labels: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Keep ``labels`` (N,) at ``rows``, and set all others to ``UNANNOTATED``.

    In a voxel, unannotated points leave the label to the annotated ones. This is also the rule of
    Pointcept (``pointcept/datasets/transform.py``, ``GridSample``).

    Deviation: ContrastiveSceneContexts gives unannotated points class 0, which is ignored, before
    voxelization (``downstream/semseg/datasets/scannet.py``), and MinkowskiEngine 0.4.3 ignores a
    voxel whose points have several labels (``src/quantization.cpp``). There, an annotated point
    counts only if it is alone in its voxel.
    """
    kept = np.full_like(labels, UNANNOTATED)
    kept[rows] = labels[rows]
    return kept


def write_point_list(path: Path, points: PointList) -> None:
    """Write a list of points as ``.npz`` without pickles, atomically.

    Raises:
        InputError: There is no scene, or the number of points of a scene is unknown.
    """
    names = points.names
    unknown = [name for name in names if name not in points.num_points]
    if not names or unknown:
        what = f"how many points {unknown[0]!r} has" if unknown else "any scene"
        raise InputError(f"a list of points for {path} does not say {what}")
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, **points.meta}
    arrays: dict[str, Any] = {
        "header": np.array(json.dumps(header)),
        "names": np.array(names),
        "offsets": np.cumsum([0, *(len(points.points[name]) for name in names)]),
        "rows": np.concatenate([points.points[name] for name in names]).astype(np.int64),
        "num_points": np.array([points.num_points[name] for name in names], dtype=np.int64),
    }
    if all(name in points.checksums for name in names):
        arrays["checksums"] = np.array([points.checksums[name] for name in names], dtype=np.uint32)
    with atomic_file(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)


def read_point_list(path: Path) -> PointList:
    """Read a list of points in this project's format (``.npz``) or in the published one.

    No code in the file is executed.

    Raises:
        InputError: The file is missing, damaged, or not a list of points.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; make lists with datasets/label_lists.py")
    if not _is_npz(path):
        return _read_published(path)
    try:
        return _read_npz(path)
    except InputError:
        raise
    except Exception as error:  # a damaged file can fail in any part of the reader
        raise InputError(
            f"{path} is not a complete list of points ({type(error).__name__}: {error})"
        ) from error


def _is_npz(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as file:
            return "header.npy" in file.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _read_npz(path: Path) -> PointList:
    with np.load(path, allow_pickle=False) as file:
        header = json.loads(str(file["header"]))
        if header.get("format") != FORMAT or header.get("format_version") != FORMAT_VERSION:
            raise InputError(
                f"{path} is {header.get('format')!r} version {header.get('format_version')}; this "
                f"program reads {FORMAT!r} version {FORMAT_VERSION}"
            )
        names = [str(name) for name in file["names"]]
        rows, offsets = file["rows"], file["offsets"]
        counts = [int(count) for count in file["num_points"]]
        checksums = [int(checksum) for checksum in file.get("checksums", [])]
    if offsets[0] != 0 or offsets[-1] != len(rows) or (np.diff(offsets) < 0).any():
        raise ValueError("its offsets do not fit its rows")
    return PointList(
        points=dict(zip(names, np.split(rows, offsets[1:-1]), strict=True)),
        num_points=dict(zip(names, counts, strict=True)),
        checksums=dict(zip(names, checksums, strict=True)) if checksums else {},
        source=str(path),
        meta={k: v for k, v in header.items() if k not in ("format", "format_version")},
    )


def _read_published(path: Path) -> PointList:
    # the released script may repeat points
    points = {
        name: np.unique(integers(rows, f"{path}: {name!r}"))
        for name, rows in read_dictionary(path, "list of points").items()
    }
    empty = next((name for name, rows in points.items() if not len(rows)), None)
    if empty is not None:
        raise InputError(f"{path}: {empty!r} has no list of integers, but an empty one")
    return PointList(points=points, num_points={}, source=str(path))
