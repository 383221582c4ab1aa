"""Lists of boxes: training on a few labelled boxes of each scene.

The protocol is the limited bounding boxes of ContrastiveSceneContexts for ScanNet: 1, 2, 4 or 7
boxes a scene. The unlabelled ones are no targets, and points in them vote for nothing
(``downstream/votenet/datasets/scannet/scannet_detection_dataset.py``, ``sampled_bbox``); so
proposals there are trained as background. The script that chose the boxes is not released.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.types import LabelledCloud
from pointcontrast.errors import InputError
from pointcontrast.files import read_json, write_json

NUM_BOXES = (1, 2, 4, 7)
"""Limited bounding boxes of the data-efficient benchmark: boxes a scene."""

FORMAT = "pointcontrast-boxes"
FORMAT_VERSION = 1

_REDO = "convert the data as it was then, or make a new list"


@dataclass(frozen=True)
class ListedBoxes:
    """The labelled boxes of one scene.

    Attributes:
        rows: of the scene's boxes, rising.
        num_boxes: K, how many boxes the scene had.
        checksum: of all of them (:func:`box_checksum`).
    """

    rows: tuple[int, ...]
    num_boxes: int
    checksum: int


@dataclass(frozen=True)
class BoxList:
    """The labelled boxes of many scenes.

    Attributes:
        scenes: name of a scene -> its boxes.
        source: where it comes from, for messages.
        meta: how it was made, JSON values.
    """

    scenes: Mapping[str, ListedBoxes]
    source: str
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The scenes, sorted."""
        return tuple(sorted(self.scenes))

    def rows(self, name: str, boxes: NDArray[np.float32]) -> NDArray[np.int64]:
        """The labelled boxes of a scene.

        Args:
            name: of the scene, or a path whose last part is.
            boxes: (K, 8) all that the benchmark has of it, to find out whether they are those
                that the list was made for.

        Returns:
            (L,) int64 rows of ``boxes``, rising.

        Raises:
            InputError: the list does not have the scene, or was made for other boxes.
        """
        key = name if name in self.scenes else name.rpartition("/")[2]
        if key not in self.scenes:
            raise InputError(f"{self.source} does not list {name!r}")
        listed = self.scenes[key]
        if listed.num_boxes != len(boxes):
            raise InputError(
                f"{self.source} was made for {listed.num_boxes} boxes of {name!r}, which has "
                f"{len(boxes)} here; {_REDO}"
            )
        if listed.checksum != box_checksum(boxes):
            raise InputError(
                f"{self.source} was made for other boxes of {name!r}, other classes, or another "
                f"order; {_REDO}"
            )
        return np.array(listed.rows, dtype=np.int64)


def box_checksum(boxes: NDArray[np.float32]) -> int:
    """A number that says which boxes (K, 8) these are, in which order, and not what they are."""
    return zlib.crc32(np.ascontiguousarray(boxes, dtype="<f4").tobytes())


def limited_boxes(
    boxes: NDArray[np.float32], num_boxes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Choose the boxes of a scene that are labelled: evenly among those that have a class.

    Args:
        boxes: (K, 8) of the scene, class below 0 where there is none.
        num_boxes: how many; all where there are fewer.
        rng: the beginning of one permutation is taken: a smaller number is part of a larger.

    Returns:
        (L,) int64 rows, rising.

    Raises:
        InputError: the number is not positive.
    """
    if num_boxes < 1:
        raise InputError(f"{num_boxes} labelled boxes must be at least 1")
    return np.sort(rng.permutation(np.flatnonzero(boxes[:, 7] >= 0))[:num_boxes])


def keep_boxes(cloud: LabelledCloud, rows: NDArray[np.int64]) -> LabelledCloud:
    """The cloud as if only some of its boxes had been labelled.

    Points that voted for the others vote for nothing, or for what is kept of several boxes, in
    the order of :func:`downstream.boxes.votes.box_rows`. (Of a point in four boxes or more only
    three are known: what it votes for is then kept of these.)

    Args:
        cloud: with its boxes.
        rows: (L,) of ``cloud.boxes``, none twice.

    Raises:
        InputError: the cloud has no boxes, or not these.
    """
    if cloud.boxes is None:
        raise InputError(f"{cloud.name} has no boxes of which some could be kept")
    num_boxes = len(cloud.boxes)
    if len(rows) and (rows.min() < 0 or rows.max() >= num_boxes):
        raise InputError(f"{cloud.name} has {num_boxes} boxes, not rows {rows.tolist()}")
    kept = replace(cloud, boxes=cloud.boxes[rows])
    if cloud.box_rows is None:
        return kept
    renumbered = np.full(num_boxes + 1, -1, np.int32)  # the last entry is that of row -1
    renumbered[rows] = np.arange(len(rows))
    return replace(kept, box_rows=_refilled(renumbered[cloud.box_rows]))


def _refilled(box_rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """(N, 3) with what there is in front, and the first in the places left."""
    order = np.argsort(box_rows < 0, axis=1, kind="stable")
    front = np.take_along_axis(box_rows, order, axis=1)
    return np.where(front < 0, front[:, :1], front)


def write_box_list(path: Path, boxes: BoxList) -> None:
    """Write a list of boxes: JSON, atomically.

    Raises:
        InputError: there is no scene.
    """
    if not boxes.scenes:
        raise InputError(f"a list of boxes for {path} does not have any scene")
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, **boxes.meta}
    scenes = {name: asdict(boxes.scenes[name]) for name in boxes.names}
    write_json(path, {**header, "scenes": scenes})


def read_box_list(path: Path) -> BoxList:
    """Read a list of boxes.

    Raises:
        InputError: the file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; make lists with datasets/label_lists.py boxes")
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(f"{path} is no list of boxes; make one with datasets/label_lists.py boxes")
    if value.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path} is of version {value.get('format_version')}; this program reads "
            f"{FORMAT_VERSION}; make it again"
        )
    scenes = value.get("scenes")
    if not isinstance(scenes, dict) or not scenes:
        raise InputError(f"{path} is damaged: it lists no scene; make it again")
    return BoxList(
        scenes={name: _listed_boxes(f"{path}: {name!r}", found) for name, found in scenes.items()},
        source=str(path),
        meta={k: v for k, v in value.items() if k not in ("format", "format_version", "scenes")},
    )


def _listed_boxes(where: str, value: Any) -> ListedBoxes:
    """What is listed of one scene, looked at in full: a file may be edited by hand."""
    fields = ("rows", "num_boxes", "checksum")
    if not isinstance(value, dict) or set(value) != set(fields):
        raise InputError(f"{where} does not have {', '.join(fields)}; make the list again")
    rows, num_boxes, checksum = (value[name] for name in fields)
    whole = isinstance(rows, list) and all(
        type(number) is int for number in (*rows, num_boxes, checksum)
    )
    if not whole:
        raise InputError(f"{where} holds what is no whole number; make the list again")
    if rows != sorted(set(rows)) or (rows and (rows[0] < 0 or rows[-1] >= num_boxes)):
        raise InputError(
            f"{where} lists rows {rows} of {num_boxes} boxes: they must rise, from 0 to "
            f"{num_boxes - 1}"
        )
    return ListedBoxes(tuple(rows), num_boxes, checksum)
