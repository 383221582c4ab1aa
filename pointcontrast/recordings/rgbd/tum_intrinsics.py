"""Intrinsics of recordings in the layout of TUM RGB-D, whose releases have no file of them.

Those of three datasets are known by name:

* ``freiburg1``, ``freiburg2``, ``freiburg3`` (or ``fr1`` ...): the calibrated values of the
  benchmark's page (https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats), as in NICE-SLAM
  and DROID-SLAM. The lens's distortion is not undone. The page itself recommends the values of the
  driver, 525 525 319.5 239.5, for all sequences, because depth images are not easily undistorted;
  pass them by ``--intrinsics``.
* ICL-NUIM: 481.2 480 319.5 239.5 (ankurhanda/living_room_iclnuim).
* Bonn RGB-D Dynamic (https://www.ipb.uni-bonn.de/data/rgbd-dynamic-dataset).

Other recordings state them in a file (``calibration.txt`` in ETH3D's SLAM benchmark).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pointcontrast.errors import InputError
from pointcontrast.recordings.rgbd.intrinsics import Intrinsics, read_intrinsics

INTRINSICS_FILES = (
    *("camera.txt", "camera-intrinsics.txt", "calibration.txt", "intrinsics.txt", "K.txt"),
    *("camera.json", "intrinsics.json", "camera_intrinsic.json"),
)
ICL, BONN = "ICL-NUIM", "Bonn RGB-D Dynamic"
_KNOWN_SIZE = (640, 480)
_KNOWN = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
    ICL: (481.2, 480.0, 319.5, 239.5),
    BONN: (542.822841, 542.576870, 315.593520, 237.756098),
}
_FREIBURG = re.compile(r"(?:freiburg|(?<![a-z])fr)([123])(?!\d)", re.IGNORECASE)


def dataset_of(folder: Path, trajectory: Path) -> str | None:
    """Return the name of a known dataset whose release has no intrinsics, a key of the table."""
    if trajectory.name.endswith(".gt.freiburg"):
        return ICL
    if "rgbd_bonn" in folder.name.lower():
        return BONN
    match = _FREIBURG.search(folder.name) or _FREIBURG.fullmatch(folder.parent.name)
    return f"freiburg{match[1]}" if match else None


def find_intrinsics(
    folder: Path, dataset: str | None
) -> tuple[Intrinsics, tuple[Path, ...], tuple[str, ...]]:
    """Return the intrinsics of a recording, the files they are from, and notes.

    Raises:
        InputError: No file states them, and the dataset is not known.
    """
    for name in INTRINSICS_FILES:
        path = folder / name
        if path.is_file():
            return read_intrinsics(path), (path,), ()
    if dataset is None:
        raise InputError(
            f"{folder} has no intrinsics, and its name is none of a sequence of TUM RGB-D "
            f"(rgbd_dataset_freiburg1_...); write {INTRINSICS_FILES[0]} with fx fy cx cy, or pass "
            "--intrinsics fx fy cx cy"
        )
    fx, fy, cx, cy = _KNOWN[dataset]
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64)
    note = (
        f"{folder}: by its name, the intrinsics are those of {dataset}: {fx:g} {fy:g} {cx:g} "
        f"{cy:g}; --intrinsics states others"
    )
    return Intrinsics(matrix=matrix, size=_KNOWN_SIZE), (), (note,)
