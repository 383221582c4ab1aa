"""Lists for learning from few labels: which scenes, and which points of each.

The protocols are those of the ScanNet data-efficient benchmark (ContrastiveSceneContexts):
limited reconstructions (1, 5, 10 or 20 % of the training scenes) and limited annotations (20,
50, 100 or 200 annotated points a scene). Published lists load as they are; new ones are seeded,
and the smaller is always part of the larger.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
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


def limited_scenes(
    names: Sequence[str], fraction: float, seed: int, groups: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Choose a fraction of the scenes: the beginning of one permutation of them.

    Of ScanNet's 1201 scenes 1, 5, 10 and 20 % are 12, 60, 120 and 240, as in the published
    lists (rounded).

    Args:
        names: all scenes, in any order.
        fraction: 0 to 1.
        seed: of the permutation; the same for all fractions, which are then nested.
        groups: a group for each name, such as the category of a shape; the fraction is then
            taken of each group.

    Returns:
        The names, sorted; at least one (of each group).

    Raises:
        InputError: the fraction is out of range, or there are no names.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"fraction {fraction} must be above 0 and at most 1")
    if not names:
        raise InputError("there are no scenes to choose from")
    members: dict[str, list[str]] = {}
    for name, group in zip(names, groups or [""] * len(names), strict=True):
        members.setdefault(group, []).append(name)
    chosen: list[str] = []
    for group, group_names in members.items():
        ordered = sorted(group_names)
        order = np.random.default_rng([seed, _number(group)]).permutation(len(ordered))
        count = max(1, math.floor(fraction * len(ordered) + 0.5))
        chosen += [ordered[i] for i in order[:count]]
    return tuple(sorted(chosen))


def write_scene_list(path: Path, names: Sequence[str], comment: str) -> None:
    """Write a list of scenes: a name a line, after a line that says what it is."""
    lines = [f"# {comment}", *names]
    with atomic_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n", "utf-8")


def read_scene_list(path: Path) -> tuple[str, ...]:
    """Read a list of scenes: ours, or one of the benchmark's plain files of scan ids.

    Raises:
        InputError: the file is missing, lists nothing, or lists a name twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; make lists with datasets/label_lists.py"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no list of scenes ({error})") from None
    names = [name for line in lines if (name := line.split("#")[0].strip())]
    if not names:
        raise InputError(f"{path} lists no scene")
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"{path} lists {name!r} twice")
    return tuple(names)


def choose_scenes(names: Sequence[str], listed: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` that a list names, by the whole name or by its last part.

    Raises:
        InputError: the list names a scene that is not there, or a last part that two have.
    """
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(name, []).append(name)
        if "/" in name:
            by_name.setdefault(name.rpartition("/")[2], []).append(name)
    chosen = []
    for entry in listed:
        found = by_name.get(entry, [])
        if not found:
            raise InputError(
                f"the list names {entry!r}, which the training data does not have (it has "
                f"{len(names)} scenes, such as {names[0]!r})"
            )
        if len(found) > 1:
            raise InputError(f"the list names {entry!r}, which may be {' or '.join(found)}")
        chosen.append(found[0])
    return tuple(chosen)


def limited_points(
    labels: NDArray[np.int32], num_points: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Choose the points of a scene that are annotated: evenly among those that have a label.

    The published lists were chosen by clustering learned features
    (ContrastiveSceneContexts ``downstream/semseg/lib/datasets``, ``sampling_points.py``), which
    needs a network; these need none.

    Args:
        labels: (N,) of all points.
        num_points: how many; all labelled ones where there are fewer.
        rng: the beginning of one permutation is taken: a smaller number is part of a larger.

    Returns:
        (K,) int64, rising.
    """
    labelled = np.flatnonzero(labels >= 0)
    return np.sort(rng.permutation(labelled)[:num_points])


def points_rng(seed: int, name: str) -> np.random.Generator:
    """The randomness of one scene, whatever others there are."""
    return np.random.default_rng([seed, _number(name)])


@dataclass(frozen=True, kw_only=True)
class PointList:
    """The annotated points of many scenes.

    Attributes:
        points: name of a scene -> (K,) int64 rows of its points.
        num_points: name -> N, how many points the scene had; empty where the file does not say.
        source: where it comes from, for messages.
        meta: how it was made, JSON values.
    """

    points: Mapping[str, NDArray[np.int64]]
    num_points: Mapping[str, int]
    source: str
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The scenes, sorted."""
        return tuple(sorted(self.points))

    def indices(self, name: str, *, num_points: int) -> NDArray[np.int64]:
        """The annotated points of a scene.

        Args:
            name: of the scene, or a path whose last part is.
            num_points: how many points the scene has here.

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
                f"{num_points} here; convert the data as it was then, or make a new list"
            )
        rows = self.points[key]
        if len(rows) and (rows.min() < 0 or rows.max() >= num_points):
            raise InputError(
                f"{self.source} names the point {int(rows.max())} of {name!r}, which has "
                f"{num_points}; it was made for other points"
            )
        return rows


def keep_annotated(labels: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """``labels`` (N,) at ``rows``; all others are ``UNANNOTATED``.

    A point that nobody annotated does not disagree with its neighbours: in a voxel it leaves the
    label to those that are. Where the whole scene is labelled, a point without a label still
    does. (ContrastiveSceneContexts gives unannotated points class 0 before the voxels are made,
    so that an annotated point counts only where it is alone in its voxel.)
    """
    kept = np.full_like(labels, UNANNOTATED)
    kept[rows] = labels[rows]
    return kept


def write_point_list(path: Path, points: PointList) -> None:
    """Write a list of points: an ``.npz`` without pickles, atomically."""
    names = points.names
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, **points.meta}
    with atomic_file(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(
            file,
            header=np.array(json.dumps(header)),
            names=np.array(names),
            offsets=np.cumsum([0, *(len(points.points[name]) for name in names)]),
            rows=np.concatenate([points.points[name] for name in names]),
            num_points=np.array([points.num_points[name] for name in names]),
        )


def read_point_list(path: Path) -> PointList:
    """Read a list of points: ours (``.npz``), or a published one.

    The published files are ``torch.save`` of a dictionary from scan id to rows
    (ContrastiveSceneContexts ``downstream/semseg/datasets/scannet.py``, ``sampled_inds``). They
    are read without running anything that is in them.

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
        rows = np.split(file["rows"].astype(np.int64), file["offsets"][1:-1])
        counts = [int(count) for count in file["num_points"]]
    return PointList(
        points=dict(zip(names, rows, strict=True)),
        num_points=dict(zip(names, counts, strict=True)),
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
        points[name] = np.sort(found.astype(np.int64))
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


def _number(name: str) -> int:
    return zlib.crc32(name.encode())
