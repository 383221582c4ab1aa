"""Lists of points: training on the labels of a few points of each scene.

The protocol is the limited annotations of the ScanNet data-efficient benchmark. The published
lists are ``torch.save`` of a dictionary from scan id to rows of ``<scan>_vh_clean_2.ply``
(ContrastiveSceneContexts writes them so in ``downstream/semseg/lib/sampling_points.py`` and reads
them so in ``datasets/scannet.py``, ``data.sampled_inds``; so does Pointcept,
``pointcept/datasets/scannet.py``, ``la_file``).
"""

from __future__ import annotations

import json
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from downstream.types import UNANNOTATED
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file

FORMAT = "pointcontrast-points"
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class PointList:
    """The annotated points of many scenes.

    Attributes:
        points: name of a scene -> (K,) int64 rows of its points.
        num_points: name -> N, how many points the scene had; empty where the file does not say.
        checksums: name -> that of the labels at the rows (:func:`label_checksum`), to tell points
            in another order; empty where the file does not say.
        source: where it comes from, for messages.
        meta: how it was made, JSON values.
    """

    points: Mapping[str, NDArray[np.int64]]
    num_points: Mapping[str, int]
    source: str
    checksums: Mapping[str, int] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The scenes, sorted."""
        return tuple(sorted(self.points))

    def indices(
        self, name: str, *, num_points: int, labels: NDArray[np.int32] | None = None
    ) -> NDArray[np.int64]:
        """The annotated points of a scene.

        Args:
            name: of the scene, or a path whose last part is.
            num_points: how many points the scene has here.
            labels: (N,) those that the points have here, to find out whether they are in the
                order that the list was made for; None does not look.

        Raises:
            InputError: the list does not have the scene, or was made for other points.
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


_REDO = "convert the data as it was then, or make a new list"


def label_checksum(labels: NDArray[np.int32], rows: NDArray[np.int64]) -> int:
    """A number that says which labels (N,) are at some rows, and not what they are."""
    return zlib.crc32(np.ascontiguousarray(labels[rows], dtype="<i4").tobytes())


def keep_annotated(labels: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """``labels`` (N,) at ``rows``; all others are ``UNANNOTATED``.

    A point that nobody annotated does not disagree with its neighbours: in a voxel it leaves the
    label to those that are. ContrastiveSceneContexts gives unannotated points class 0, which is
    ignored, before the voxels are made (``downstream/semseg/datasets/scannet.py``), and
    MinkowskiEngine 0.4.3 ignores a voxel whose points have several labels
    (``src/quantization.cpp``): there an annotated point counts only where it is alone in its
    voxel. Pointcept keeps all annotated points, as ours does
    (``pointcept/datasets/transform.py``, ``GridSample``).
    """
    kept = np.full_like(labels, UNANNOTATED)
    kept[rows] = labels[rows]
    return kept


def write_point_list(path: Path, points: PointList) -> None:
    """Write a list of points: an ``.npz`` without pickles, atomically.

    Raises:
        InputError: there is no scene, or one of which it is not known how many points it has.
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
    """Read a list of points: ours (``.npz``), or a published one.

    Both are read without running anything that is in them.

    Raises:
        InputError: the file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; make lists with datasets/label_lists.py")
    try:
        with open(path, "rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
            if is_zip and "header.npy" in zipfile.ZipFile(file).namelist():
                return _read_ours(path)
        return _read_published(path)
    except InputError:
        raise
    except pickle.UnpicklingError:  # whose message advises to run what is in the file
        raise InputError(
            f"{path} is no whole list of points: it is damaged, or holds other things than whole "
            "numbers by scene, which are not read because reading them could run anything"
        ) from None
    except Exception as error:  # a damaged file can fail in any part of either reader
        raise InputError(
            f"{path} is no whole list of points ({type(error).__name__}: {error})"
        ) from error


def _read_ours(path: Path) -> PointList:
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
    with torch.serialization.safe_globals(_array_globals()):
        value = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(value, dict) or not value:
        raise InputError(f"{path} holds a {type(value).__name__}, not rows by scene")
    points: dict[str, NDArray[np.int64]] = {}
    for name, rows in value.items():
        found = np.asarray(rows)
        if not isinstance(name, str) or found.ndim != 1 or found.dtype.kind not in "iu":
            raise InputError(f"{path}: {name!r} has no list of whole numbers")
        points[name] = np.unique(found.astype(np.int64))  # the released script may repeat some
    return PointList(points=points, num_points={}, source=str(path))


def _array_globals() -> list[Any]:
    """What a pickled NumPy array of whole numbers is made of, under its old and new names."""
    reconstruct = np.zeros(0).__reduce__()[0]
    dtypes = [type(np.dtype(kind)) for kind in ("i4", "i8", "u4", "u8")]
    return [
        (reconstruct, "numpy.core.multiarray._reconstruct"),
        (reconstruct, "numpy._core.multiarray._reconstruct"),
        np.ndarray,
        np.dtype,
        *dtypes,
    ]
