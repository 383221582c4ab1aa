"""Images as VoteNet's training reads them: points and boxes as NumPy arrays.

Folders ``sunrgbd_pc_bbox_votes_50k_v1_train`` and ``..._val`` (v2 for the labels of version 2):

- ``000001_pc.npz``: ``pc``, N x 6 points and colours as in ``matlab_folder``, 50,000 at random
- ``000001_bbox.npy``: K x 8 float64, centre (3), half of length, width and height, heading, class.
  The heading is in radians and clockwise, the class a row of VoteNet's ten. An image without
  objects has an array of no rows.
- ``000001_votes.npz``: not read; votes are computed from the boxes

Source: facebookresearch/votenet ``sunrgbd/sunrgbd_data.py`` (``extract_sunrgbd_data``).
PointContrast's detection code reads the same files.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.releases.file_names import left_out_lines
from downstream.releases.sunrgbd.annotations import Annotation
from downstream.releases.sunrgbd.classes import CLASS_NAMES
from downstream.releases.sunrgbd.colored_points import points_and_colors
from downstream.releases.sunrgbd.raw_images import (
    FoundImages,
    ImageSplit,
    Labels,
    RawImage,
    split_by_number,
)
from pointcontrast.errors import InputError

_SPLITS: dict[str, ImageSplit] = {"train": "train", "val": "validation"}
_FOLDER = re.compile(r"sunrgbd_pc_bbox_votes_.*?(?P<labels>v[12])_(?P<split>train|val)")
_POINTS = re.compile(r"(\d{6})_pc\.npz", re.ASCII)
_KNOWN = re.compile(r"\d{6}_(pc\.npz|bbox\.npy|votes\.npz)", re.ASCII)
_AGAIN = "run sunrgbd_data.py again"


def is_votenet_folder(folder: Path) -> bool:
    """Return whether the folder has prepared arrays, or folders of them."""
    return folder.is_dir() and bool(_folders(folder))


def find_images(folder: Path, labels: Labels) -> FoundImages:
    """Find the images of a folder of arrays, or of the folders of both splits, by number.

    Raises:
        InputError: No folder has these labels, or an image is in both splits.
    """
    folders = _folders(folder)
    chosen = [each for each in folders if (_labels_of(each) or labels) == labels]
    if not chosen:
        raise InputError(f"{folder} has no arrays of --labels {labels}; it has {folders[0].name}")
    notes: list[str] = []
    left_out: list[str] = []
    images: dict[int, RawImage] = {}
    failures: dict[str, str] = {}
    for each in chosen:
        entries = sorted(each.iterdir())
        split = _split_of(each)
        if split is None:
            notes.append(f"{each} is of no split by its name: images are split by their numbers")
        others = [path for path in entries if not _KNOWN.fullmatch(path.name)]
        left_out += left_out_lines(folder.parent, others, "<six digits>_{pc.npz,bbox.npy}")
        for path in entries:
            match = _POINTS.fullmatch(path.name)
            if match is None:
                continue
            number = int(match[1])
            if number in images:
                raise InputError(f"{path} is in both splits; remove it from one")
            try:
                annotations = _annotations(path.with_name(f"{match[1]}_bbox.npy"))
            except InputError as error:
                failures[match[1]] = str(error)
                continue
            images[number] = RawImage(
                number=number,
                split=split or split_by_number(number),
                intrinsics=None,
                tilt=None,
                annotations=annotations,
                points_file=path,
            )
    return FoundImages([images[number] for number in sorted(images)], notes, failures, left_out)


def read_points(path: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8], list[str]]:
    """Read points (N, 3), metres, their colours (N, 3) uint8, and notes.

    Raises:
        InputError: The file is missing or damaged, or its array is not as described above.
    """
    found = _load(path)
    if isinstance(found, np.ndarray) or "pc" not in found:
        raise InputError(f"{path} holds no array 'pc'; {_AGAIN}")
    rows = found["pc"]
    if rows.ndim != 2 or rows.shape[1] not in (6, 7):
        raise InputError(f"{path}: 'pc' is {rows.shape}, not N x 6; {_AGAIN}")
    return points_and_colors(rows, str(path))


def _folders(folder: Path) -> list[Path]:
    """Return the folders of arrays: the folder itself, or those in it."""
    if not folder.is_dir():
        return []
    if any(_POINTS.fullmatch(path.name) for path in folder.iterdir()):
        return [folder]
    return sorted(
        path for path in folder.iterdir() if _FOLDER.fullmatch(path.name) and path.is_dir()
    )


def _labels_of(folder: Path) -> str | None:
    match = _FOLDER.fullmatch(folder.name)
    return match and match["labels"]


def _split_of(folder: Path) -> ImageSplit | None:
    match = _FOLDER.fullmatch(folder.name)
    return match and _SPLITS[match["split"]]


def _annotations(path: Path) -> tuple[Annotation, ...]:
    """Read the boxes of an image."""
    if not path.exists():
        raise InputError(
            f"{path} does not exist, and an image without objects has an array of no rows; {_AGAIN}"
        )
    boxes = _load(path)
    if not isinstance(boxes, np.ndarray) or boxes.ndim != 2 or boxes.shape[1] != 8:
        raise InputError(f"{path} holds no K x 8 array; {_AGAIN}")
    if boxes.dtype.kind not in "fiu" or not np.isfinite(boxes).all():
        raise InputError(f"{path} holds values that are no finite numbers; {_AGAIN}")
    headings, classes = boxes[:, 6], boxes[:, 7]
    if (np.abs(headings) > 2 * math.pi + 1e-3).any():
        raise InputError(
            f"{path} has a heading of {np.abs(headings).max():g}, which is no angle in radians; "
            "divide degrees by 180 / pi"
        )
    if ((classes % 1 != 0) | (classes < 0) | (classes >= len(CLASS_NAMES))).any():
        raise InputError(
            f"{path} has a class that is not one of 0..{len(CLASS_NAMES) - 1}, VoteNet's ten"
        )
    return tuple(
        Annotation(
            class_name=CLASS_NAMES[int(row[7])],
            center=(row[0], row[1], row[2]),
            half_sizes=(row[4], row[3], row[5]),
            orientation=(math.cos(row[6]), -math.sin(row[6])),
        )
        for row in boxes.astype(np.float64).tolist()
    )


def _load(path: Path) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """Read an array, or the arrays of an archive by name."""
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            return {name: found[name] for name in found.files}
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} is damaged ({reason}); {_AGAIN}") from None
