"""Images of the official release, with cameras and annotations.

The folder has ``SUNRGBD/`` (unpacked ``SUNRGBD.zip``), ``SUNRGBDMeta3DBB_v2.mat``,
``SUNRGBDMeta2DBB_v2.mat`` and the toolbox ``SUNRGBDtoolbox/``. Fields are read as in
facebookresearch/votenet ``sunrgbd/matlab/extract_{rgbd_data_v2,rgbd_data_v1,split}.m``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.releases.file_names import in_any_case
from downstream.releases.sunrgbd.annotations import Annotation
from downstream.releases.sunrgbd.classes import CLASS_NAMES
from downstream.releases.sunrgbd.mat_files import read_mat, records
from downstream.releases.sunrgbd.raw_images import (
    FoundImages,
    ImageSplit,
    Labels,
    RawImage,
    check_camera,
    image_name,
    num_split_otherwise,
    split_by_number,
)
from pointcontrast.errors import InputError

BOXES_V2 = "SUNRGBDMeta3DBB_v2.mat"
RECTANGLES_V2 = "SUNRGBDMeta2DBB_v2.mat"
BOXES_V1 = "SUNRGBDtoolbox/Metadata/SUNRGBDMeta.mat"
SPLIT = "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"

_META, _META_2D = "SUNRGBDMeta", "SUNRGBDMeta2DBB"


def is_release(folder: Path) -> bool:
    """Return whether the folder has the metadata of the release."""
    return (folder / BOXES_V2).is_file() or (folder / BOXES_V1).is_file()


def find_images(release: Path, labels: Labels) -> FoundImages:
    """Find the images of the release, in the order of its metadata.

    The split is that of the toolbox, or by the image's number if the toolbox's file is missing.
    Every annotated object is kept. VoteNet's MATLAB script stops at the first object of an image
    that does not match the 2D annotations; a note counts the objects that it loses.

    Args:
        release: Folder with the metadata and ``SUNRGBD``.
        labels: Version of the boxes: v2 is the corrected version, v1 that of the toolbox, on which
            VoteNet and PointContrast report results. Cameras and paths are those of the v2 file if
            it exists.

    Returns:
        Images, notes on the release as a whole, and images whose record is wrong.

    Raises:
        InputError: A required ``.mat`` file is missing or damaged.
    """
    boxes_file = release / (BOXES_V2 if labels == "v2" else BOXES_V1)
    if not boxes_file.is_file():
        raise InputError(f"{boxes_file} does not exist; --labels {labels} are kept there")
    annotated = records(boxes_file, _META)
    notes: list[str] = []
    main_file = release / BOXES_V2
    main = annotated if labels == "v2" or not main_file.is_file() else records(main_file, _META)
    if len(main) != len(annotated):
        raise InputError(
            f"{boxes_file} describes {len(annotated)} images and {main_file} {len(main)}; they are "
            "not of one release"
        )
    rectangles = _rectangles(release, labels, annotated, notes)
    splits, split_file = _official_split(release), release / SPLIT
    if splits is None:
        notes.append(f"{split_file} does not exist: images are split by their numbers")
    images: list[RawImage] = []
    failures: dict[str, str] = {}
    num_lost = 0
    for row, (record, boxes) in enumerate(zip(main, annotated, strict=True)):
        where = f"{main_file if main is not annotated else boxes_file}, image {row + 1}"
        try:
            annotations = _annotations(boxes, rectangles[row], f"{boxes_file}, image {row + 1}")
            image = _image(release, row + 1, record, annotations, where)
            if splits is not None and image.sequence not in splits:
                raise InputError(f"{split_file} does not list {image.sequence}, {where}")
        except InputError as error:
            failures[image_name(row + 1)] = str(error)
            continue
        images.append(image if splits is None else replace(image, split=splits[image.sequence]))
        num_lost += _num_lost(annotations, rectangles[row], labels)
    if num_lost and any(rectangles):
        notes.append(
            f"{num_lost} objects of the {len(CLASS_NAMES)} classes are kept that VoteNet's MATLAB "
            "script loses: an object of their image has no rectangle in the picture"
        )
    if moved := num_split_otherwise(image.split for image in images):
        notes.append(f"{moved} images are not in the split of their numbers; {split_file} decides")
    return FoundImages(images, notes, failures, [])


def _image(
    release: Path,
    number: int,
    record: Mapping[str, Any],
    annotations: tuple[Annotation, ...],
    where: str,
) -> RawImage:
    """Return an image, in the split of its number."""
    depth = _relative(_text(record, "depthpath", where), where)
    intrinsics, tilt = check_camera(
        _matrix(record, "K", where), _matrix(record, "Rtilt", where), where
    )
    return RawImage(
        number=number,
        split=split_by_number(number),
        intrinsics=intrinsics,
        tilt=tilt,
        annotations=annotations,
        depth_file=_in_release(release, depth),
        color_file=_in_release(release, _relative(_text(record, "rgbpath", where), where)),
        sequence=str(depth.parent.parent),
    )


def _rectangles(
    release: Path, labels: Labels, annotated: list[dict[str, Any]], notes: list[str]
) -> list[list[dict[str, Any]]]:
    """Return the 2D annotations of each image, in the order of its boxes, or empty lists."""
    if labels == "v1":
        return [_structs(record.get("groundtruth2DBB")) for record in annotated]
    path = release / RECTANGLES_V2
    if not path.is_file():
        notes.append(f"{path} does not exist: boxes have no rectangles in the picture")
        return [[] for _ in annotated]
    found = records(path, _META_2D)
    if len(found) != len(annotated):
        raise InputError(
            f"{path} describes {len(found)} images, the boxes' file {len(annotated)}; they are not "
            "of one release"
        )
    return [_structs(record.get("groundtruth2DBB")) for record in found]


def _annotations(
    record: Mapping[str, Any], rectangles: list[dict[str, Any]], where: str
) -> tuple[Annotation, ...]:
    """Return the annotated objects of an image."""
    found = []
    for number, box in enumerate(_structs(record.get("groundtruth3DBB"))):
        what = f"{where}, box {number + 1}"
        name = _text(box, "classname", what)
        own = rectangles[number] if number < len(rectangles) else {}
        # a rectangle of another class belongs to another object
        sides = _numbers(own.get("gtBb2D"), 4) if own.get("classname") == name else None
        center = _needed(box, "centroid", 3, what)
        half_sizes = _needed(box, "coeffs", 3, what)
        heading = _needed(box, "orientation", 2, what)
        found.append(
            Annotation(
                class_name=name,
                center=(center[0], center[1], center[2]),
                half_sizes=(half_sizes[0], half_sizes[1], half_sizes[2]),
                orientation=(heading[0], heading[1]),
                rectangle=None if sides is None else (sides[0], sides[1], sides[2], sides[3]),
            )
        )
    return tuple(found)


def _num_lost(
    annotations: tuple[Annotation, ...], rectangles: list[dict[str, Any]], labels: Labels
) -> int:
    """Count the objects of the ten classes that VoteNet's MATLAB script does not write.

    It ends an image at the first object whose rectangle is missing or, for v2, of another class
    (``extract_rgbd_data_v2.m``, ``extract_rgbd_data_v1.m``: the loop over objects is within a
    ``try``).
    """
    for number, annotation in enumerate(annotations):
        own = rectangles[number] if number < len(rectangles) else {}
        matches = labels == "v1" or own.get("classname") == annotation.class_name
        if not matches or _numbers(own.get("gtBb2D"), 4) is None:
            return sum(found.class_name in CLASS_NAMES for found in annotations[number:])
    return 0


def _official_split(release: Path) -> dict[str, ImageSplit] | None:
    """Read the split of each image's folder; None if the toolbox's file does not exist.

    Raises:
        InputError: The file is wrong, or lists a folder in both splits.
    """
    path = release / SPLIT
    if not path.is_file():
        return None
    variables = read_mat(path)
    splits: dict[str, ImageSplit] = {}
    names: tuple[tuple[str, ImageSplit], ...] = (("alltrain", "train"), ("alltest", "validation"))
    for variable, split in names:
        listed = variables.get(variable)
        if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
            raise InputError(f"{path} holds no cell array of text {variable!r}; download it again")
        for text in listed:
            folder = str(_relative(text, str(path)))
            if splits.get(folder, split) != split:
                raise InputError(f"{path} lists {folder} to train and to test")
            splits[folder] = split
    return splits


def _relative(text: str, where: str) -> PurePosixPath:
    """Convert a path on the machine of the release's authors to one below ``SUNRGBD``.

    Such a path starts with ``/n/fs/sun3d/data/SUNRGBD/`` or, in v1, ``/n/fs/sun3d/data/``.
    """
    found = re.fullmatch(r"/?n/fs/sun3d/data/+(?:SUNRGBD/+)?(.+?)/*", text)
    path = PurePosixPath(text if found is None else found[1])
    if found is None or ".." in path.parts or path.is_absolute():
        raise InputError(f"{where}: {text!r} is no path of the release")
    return path


def _in_release(release: Path, path: PurePosixPath) -> Path:
    return in_any_case(release / "SUNRGBD" / path)


def _structs(value: Any) -> list[dict[str, Any]]:
    """Return a struct array; MATLAB writes an empty one as an empty matrix."""
    return value if isinstance(value, list) else []


def _text(record: Mapping[str, Any], field: str, where: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value:
        raise InputError(f"{where}: {field!r} is no text but {value!r}; download the file again")
    return value


def _matrix(record: Mapping[str, Any], field: str, where: str) -> NDArray[np.float64]:
    value = record.get(field)
    if not isinstance(value, np.ndarray) or value.shape != (3, 3) or value.dtype.kind not in "fiu":
        raise InputError(f"{where}: {field!r} is no 3x3 matrix; download the file again")
    return value.astype(np.float64)


def _needed(record: Mapping[str, Any], field: str, count: int, where: str) -> list[float]:
    """Return numbers of an object, NaN for an empty field, which is not an error."""
    found = record.get(field)
    if isinstance(found, (np.ndarray, list)) and not np.size(found):
        return [np.nan] * count
    value = _numbers(found, count)
    if value is None:
        raise InputError(f"{where}: {field!r} has not {count} numbers; download the file again")
    return value


def _numbers(value: Any, count: int) -> list[float] | None:
    """Return the first ``count`` numbers of an array; None if it has fewer."""
    if not isinstance(value, np.ndarray) or value.size < count or value.dtype.kind not in "fiu":
        return None
    return [float(number) for number in value.ravel()[:count]]
