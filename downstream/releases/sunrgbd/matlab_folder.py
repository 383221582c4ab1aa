"""Images of ``sunrgbd_trainval``, the output folder of VoteNet's MATLAB script.

- ``depth/000001.mat``: ``instance``, N x 6, x right, y forward, z up in metres, r g b in 0..1;
  others append the label of each point, N x 7 (zaiweizhang/H3DNet issue 14), which is not read
- ``calib/000001.txt``: tilt and camera matrix, column by column
- ``label/000001.txt`` (v2) and ``label_v1/000001.txt`` (v1), one object per line: class, rectangle
  (4), centre (3), half sizes (3), orientation (2). An image without objects has an empty file: the
  script opens the file before it looks for objects. A script that was interrupted leaves fewer
  files of one kind than of another (facebookresearch/votenet issue 90)
- ``train_data_idx.txt``, ``val_data_idx.txt``

Source: facebookresearch/votenet ``sunrgbd/matlab/extract_rgbd_data_v2.m``.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from downstream.releases.file_names import in_any_case, left_out_lines
from downstream.releases.sunrgbd.annotations import Annotation
from downstream.releases.sunrgbd.colored_points import points_and_colors
from downstream.releases.sunrgbd.mat_files import read_mat
from downstream.releases.sunrgbd.raw_images import (
    FoundImages,
    ImageSplit,
    Labels,
    RawImage,
    check_camera,
    split_by_number,
)
from pointcontrast.errors import InputError

LABEL_FOLDERS: dict[Labels, str] = {"v1": "label_v1", "v2": "label"}
SPLIT_FILES: dict[ImageSplit, str] = {
    "train": "train_data_idx.txt",
    "validation": "val_data_idx.txt",
}
_NAME = re.compile(r"\d{6}\.mat", re.ASCII | re.IGNORECASE)
_POINTS = ("instance", "points3d_rgb")
"""Name of the variable, and its name in modified scripts."""


def is_matlab_folder(folder: Path) -> bool:
    """Return whether the folder is the output of the MATLAB script."""
    return (folder / "depth").is_dir() and (folder / "calib").is_dir()


def find_images(folder: Path, labels: Labels) -> FoundImages:
    """Find the images in the folder, sorted by number.

    Returns:
        Images, notes on the folder as a whole, images whose camera or labels are missing or wrong,
        and files with other names.

    Raises:
        InputError: There is no image, the labels do not exist, or a list of a split is wrong.
    """
    entries = sorted((folder / "depth").iterdir())
    files = [path for path in entries if _NAME.fullmatch(path.name)]
    if not files:
        raise InputError(f"{folder / 'depth'} holds no .mat file; run the MATLAB script again")
    label_folder = folder / LABEL_FOLDERS[labels]
    if not label_folder.is_dir():
        raise InputError(f"{label_folder} is not a folder; --labels {labels} are kept there")
    splits, notes = _splits(folder)
    absent = len(splits.keys() - {int(path.stem) for path in files})
    if absent:
        notes.append(f"{absent} images of {' and '.join(SPLIT_FILES.values())} have no .mat file")
    images: list[RawImage] = []
    failures: dict[str, str] = {}
    num_unlabelled = 0
    for path in files:
        number = int(path.stem)
        if splits and number not in splits:
            notes.append(
                f"{path.name} is in neither {' nor '.join(SPLIT_FILES.values())}: left out"
            )
            continue
        label_file = in_any_case(label_folder / f"{path.stem}.txt")
        num_unlabelled += not label_file.exists()
        try:
            images.append(_image(folder, path, label_file, splits.get(number)))
        except InputError as error:
            failures[path.stem] = str(error)
    if num_unlabelled:
        notes.append(f"{num_unlabelled} images have no label file in {label_folder}: left out")
    others = [path for path in entries if path not in set(files)]
    left_out = left_out_lines(folder, others, "<six digits>.mat")
    return FoundImages(images, notes, failures, left_out)


def _image(folder: Path, path: Path, label_file: Path, split: ImageSplit | None) -> RawImage:
    """Return an image, in the split of its number if there are no lists."""
    tilt, intrinsics = _camera(in_any_case(folder / "calib" / f"{path.stem}.txt"))
    number = int(path.stem)
    return RawImage(
        number=number,
        split=split or split_by_number(number),
        intrinsics=intrinsics,
        tilt=tilt,
        annotations=_labels(label_file),
        points_file=path,
    )


def read_points(path: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8], list[str]]:
    """Read points (N, 3), metres, their colours (N, 3) uint8, and notes.

    Raises:
        InputError: The file is missing or damaged, or its array is not as described above.
    """
    variables = read_mat(path)
    found = next((variables[name] for name in _POINTS if name in variables), None)
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.shape[1] not in (6, 7):
        raise InputError(f"{path} holds no N x 6 array {_POINTS[0]!r}; run the MATLAB script again")
    return points_and_colors(found, str(path))


def _splits(folder: Path) -> tuple[dict[int, ImageSplit], list[str]]:
    """Read number -> split from the lists, and notes; empty without the lists."""
    splits: dict[int, ImageSplit] = {}
    missing = [name for name in SPLIT_FILES.values() if not (folder / name).is_file()]
    if missing:
        return {}, [f"{folder / missing[0]} does not exist: images are split by their numbers"]
    for split, name in SPLIT_FILES.items():
        for line, row in enumerate(_numbers_of_lines(folder / name), start=1):
            if len(row) != 1 or row[0] != int(row[0]):
                raise InputError(f"{folder / name}, line {line} is not one whole number")
            if splits.setdefault(int(row[0]), split) != split:
                raise InputError(f"{folder / name}, line {line}: {int(row[0])} is in both lists")
    return splits, []


def _camera(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read tilt and intrinsics, (3, 3) each."""
    rows = _numbers_of_lines(path)
    if len(rows) != 2 or any(len(row) != 9 for row in rows):
        raise InputError(f"{path} must have two lines of nine numbers; run the MATLAB script again")
    tilt, intrinsics = (np.array(row).reshape(3, 3, order="F") for row in rows)
    check_camera(intrinsics, tilt, str(path))
    return tilt, intrinsics


def _labels(path: Path) -> tuple[Annotation, ...]:
    """Read the objects of an image; an empty file has none."""
    if not path.exists():
        raise InputError(
            f"{path} does not exist, and an image without objects has an empty file; run the "
            "MATLAB script again"
        )
    found = []
    for line, text in enumerate(_lines(path), start=1):
        words = text.split()
        try:
            values = [float(word) for word in words[1:]]
        except ValueError:
            values = []
        if len(values) != 12:
            raise InputError(
                f"{path}, line {line} must be a class and 12 numbers, is {text!r}; run the MATLAB "
                "step again"
            )
        found.append(
            Annotation(
                class_name=words[0],
                rectangle=(values[0], values[1], values[2], values[3]),
                center=(values[4], values[5], values[6]),
                half_sizes=(values[7], values[8], values[9]),
                orientation=(values[10], values[11]),
            )
        )
    return tuple(found)


def _numbers_of_lines(path: Path) -> list[list[float]]:
    rows = []
    for line, text in enumerate(_lines(path), start=1):
        try:
            rows.append([float(word) for word in text.split()])
        except ValueError:
            raise InputError(f"{path}, line {line} is not all numbers: {text!r}") from None
        if not all(map(math.isfinite, rows[-1])):
            raise InputError(f"{path}, line {line} holds NaN or infinity")
    return rows


def _lines(path: Path) -> list[str]:
    """Read the lines of a text file that are not blank."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run the MATLAB script again") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text ({error}); run the MATLAB script again") from None
    return [line for line in text.splitlines() if line.strip()]
