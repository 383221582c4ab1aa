"""Lists of boxes, for training on a few labelled boxes per scene.

The protocol is that of limited bounding boxes in ContrastiveSceneContexts for ScanNet: 1, 2, 4 or 7
boxes per scene. Unlabelled boxes are not targets, and points in them do not vote
(``downstream/votenet/datasets/scannet/scannet_detection_dataset.py``, ``sampled_bbox``), so that
proposals there are trained as background. The script that chose the boxes is not released.

Published lists name rows of VoteNet's ``<scan>_bbox.npy``: boxes of the 18 classes in the order of
the objects (facebookresearch/votenet ``scannet/batch_load_scannet_data.py``), as the boxes of
``ScanNetDetection`` here. They do not say how many boxes a scan has.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.label_lists.published import (
    integers,
    is_pair,
    is_published,
    read_dictionary,
)
from downstream.types import LabelledCloud
from pointcontrast.errors import InputError
from pointcontrast.files import read_json, write_json

NUM_BOXES = (1, 2, 4, 7)
"""Boxes per scene in the data-efficient benchmark (limited bounding boxes)."""

FORMAT = "pointcontrast-boxes"
FORMAT_VERSION = 1

_REDO = "convert the data with the settings of the list, or make a new list"


@dataclass(frozen=True)
class ListedBoxes:
    """Labelled boxes of a scene.

    Attributes:
        rows: Rows of the scene's boxes, ascending.
        num_boxes: Number of boxes of the scene; None in a published list.
        checksum: Checksum of all boxes (:func:`box_checksum`); None in a published list.
    """

    rows: tuple[int, ...]
    num_boxes: int | None = None
    checksum: int | None = None


@dataclass(frozen=True)
class BoxList:
    """Labelled boxes of many scenes.

    Attributes:
        scenes: Scene name -> labelled boxes.
        source: Origin of the list, for messages.
        meta: How the list was made; JSON values.
    """

    scenes: Mapping[str, ListedBoxes]
    source: str
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scenes, sorted."""
        return tuple(sorted(self.scenes))

    def rows(self, name: str, boxes: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the labelled boxes of a scene.

        Args:
            name: Name of the scene, or a path that ends with it.
            boxes: All boxes of the scene (K, 8), which must be those that the list was made for.

        Returns:
            Rows of ``boxes`` (L,) int64, ascending.

        Raises:
            InputError: The list does not have the scene, or was made for other boxes.
        """
        key = name if name in self.scenes else name.rpartition("/")[2]
        if key not in self.scenes:
            raise InputError(f"{self.source} does not list {name!r}")
        listed = self.scenes[key]
        if listed.num_boxes is None and listed.rows and listed.rows[-1] >= len(boxes):
            raise InputError(
                f"{self.source} names box {listed.rows[-1]} of {name!r}, which has {len(boxes)} "
                "boxes of the benchmark's classes; it was made for others"
            )
        if listed.num_boxes not in (None, len(boxes)):
            raise InputError(
                f"{self.source} was made for {listed.num_boxes} boxes of {name!r}, which has "
                f"{len(boxes)} here; {_REDO}"
            )
        if listed.checksum not in (None, box_checksum(boxes)):
            raise InputError(
                f"{self.source} was made for other boxes of {name!r}, other classes, or another "
                f"order; {_REDO}"
            )
        return np.array(listed.rows, dtype=np.int64)


def box_checksum(boxes: NDArray[np.float32]) -> int:
    """Return a checksum of boxes (K, 8) and their order, which does not reveal them."""
    return zlib.crc32(np.ascontiguousarray(boxes, dtype="<f4").tobytes())


def limited_boxes(
    boxes: NDArray[np.float32], num_boxes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Choose the labelled boxes of a scene, uniformly among those with a class.

    A smaller choice with the same generator is part of a larger one: both are the beginning of the
    same permutation.

    Args:
        boxes: Boxes (K, 8) of the scene; a negative class means none.
        num_boxes: Number of boxes to choose; all if there are fewer.
        rng: Source of the permutation.

    Returns:
        Rows (L,) int64, ascending.

    Raises:
        InputError: ``num_boxes`` is not positive.
    """
    if num_boxes < 1:
        raise InputError(f"{num_boxes} labelled boxes must be at least 1")
    return np.sort(rng.permutation(np.flatnonzero(boxes[:, 7] >= 0))[:num_boxes])


def keep_boxes(cloud: LabelledCloud, rows: NDArray[np.int64]) -> LabelledCloud:
    """Return the cloud as if only some of its boxes had been labelled.

    Points in removed boxes only do not vote. A point in several boxes votes for the kept ones, in
    the order of :func:`downstream.boxes.votes.box_rows`. Of a point in four or more boxes, only
    three are known; it votes for the kept ones among these.

    Args:
        cloud: Cloud with boxes.
        rows: Rows of ``cloud.boxes`` (L,) to keep, without repetitions.

    Raises:
        InputError: The cloud has no boxes, or a row is out of range.
    """
    if cloud.boxes is None:
        raise InputError(f"{cloud.name} has no boxes to keep some of")
    num_boxes = len(cloud.boxes)
    if len(rows) and (rows.min() < 0 or rows.max() >= num_boxes):
        raise InputError(f"{cloud.name} has {num_boxes} boxes, not rows {rows.tolist()}")
    kept = replace(cloud, boxes=cloud.boxes[rows])
    if cloud.box_rows is None:
        return kept
    renumbered = np.full(num_boxes + 1, -1, np.int32)  # the last entry is for row -1
    renumbered[rows] = np.arange(len(rows))
    return replace(kept, box_rows=_refilled(renumbered[cloud.box_rows]))


def _refilled(box_rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Move the known rows (N, 3) to the front, and fill the rest with the first of them."""
    order = np.argsort(box_rows < 0, axis=1, kind="stable")
    front = np.take_along_axis(box_rows, order, axis=1)
    return np.where(front < 0, front[:, :1], front)


def write_box_list(path: Path, boxes: BoxList) -> None:
    """Write a list of boxes as JSON, atomically.

    Raises:
        InputError: There is no scene.
    """
    if not boxes.scenes:
        raise InputError(f"the list of boxes for {path} has no scene")
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, **boxes.meta}
    scenes = {name: asdict(boxes.scenes[name]) for name in boxes.names}
    write_json(path, {**header, "scenes": scenes})


def read_box_list(path: Path) -> BoxList:
    """Read a list of boxes in this project's format (JSON) or in the published one.

    Raises:
        InputError: The file is missing, damaged, or not a list of boxes.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; make lists with datasets/label_lists.py boxes")
    if is_published(path):
        return _read_published(path)
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(
            f"{path} is not a list of boxes; make one with datasets/label_lists.py boxes"
        )
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


def _read_published(path: Path) -> BoxList:
    scenes: dict[str, ListedBoxes] = {}
    for name, value in read_dictionary(path, "list of boxes").items():
        where = f"{path}: {name!r}"
        rows = np.unique(integers(value[0] if is_pair(value) else value, where))
        if len(rows) and rows[0] < 0:
            raise InputError(f"{where} lists the box {rows[0]}; rows count from 0")
        scenes[name] = ListedBoxes(tuple(rows.tolist()))
    return BoxList(scenes=scenes, source=str(path))


def _listed_boxes(where: str, value: Any) -> ListedBoxes:
    """Check and convert the entry of a scene; a file may have been edited by hand."""
    fields = ("rows", "num_boxes", "checksum")
    if not isinstance(value, dict) or set(value) != set(fields):
        raise InputError(f"{where} does not have {', '.join(fields)}; make the list again")
    rows, num_boxes, checksum = (value[name] for name in fields)
    whole = isinstance(rows, list) and all(
        type(number) is int for number in (*rows, num_boxes, checksum)
    )
    if not whole:
        raise InputError(f"{where} has a value that is not an integer; make the list again")
    if rows != sorted(set(rows)) or (rows and (rows[0] < 0 or rows[-1] >= num_boxes)):
        raise InputError(
            f"{where} lists rows {rows} of {num_boxes} boxes: they must be ascending, from "
            f"0 to {num_boxes - 1}"
        )
    return ListedBoxes(tuple(rows), num_boxes, checksum)
