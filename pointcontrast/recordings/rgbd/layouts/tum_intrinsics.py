"""Intrinsics of recordings in the layout of TUM RGB-D, whose releases have no file of them.

Those of three datasets are known by name:

* ``freiburg1``, ``freiburg2``, ``freiburg3`` (or ``fr1`` ...): the calibrated values of the
  benchmark's page (https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats), as in NICE-SLAM
  and DROID-SLAM, with the distortion of the lens. (The page itself recommends the driver's values
  for depth images, 525 525 319.5 239.5 without distortion; ``--intrinsics`` states them.)
* ICL-NUIM: 481.2 480 319.5 239.5 (ankurhanda/living_room_iclnuim), rendered without distortion.
* Bonn RGB-D Dynamic (https://www.ipb.uni-bonn.de/data/rgbd-dynamic-dataset).

Other recordings state them in a file (``calibration.txt`` in ETH3D's SLAM benchmark).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.rgbd.images.intrinsics_file import Intrinsics, find_intrinsics
from pointcontrast.recordings.rgbd.images.lens_distortion import LensDistortion

INTRINSICS_FILES = (
    *("camera.txt", "camera-intrinsics.txt", "calibration.txt", "intrinsics.txt", "K.txt"),
    *("camera.json", "intrinsics.json", "camera_intrinsic.json"),
)
ICL, BONN = "ICL-NUIM", "Bonn RGB-D Dynamic"
_SIZE = (640, 480)
_KNOWN: dict[str, tuple[tuple[float, float, float, float], LensDistortion | None]] = {
    "freiburg1": (
        (517.3, 516.5, 318.6, 255.3),
        LensDistortion(k1=0.2624, k2=-0.9531, p1=-0.0054, p2=0.0026, k3=1.1633),
    ),
    "freiburg2": (
        (520.9, 521.0, 325.1, 249.7),
        LensDistortion(k1=0.2312, k2=-0.7849, p1=-0.0033, p2=-0.0001, k3=0.9172),
    ),
    "freiburg3": ((535.4, 539.2, 320.1, 247.6), None),
    ICL: ((481.2, 480.0, 319.5, 239.5), None),
    BONN: (
        (542.822841, 542.576870, 315.593520, 237.756098),
        LensDistortion(k1=0.039903, k2=-0.099343, p1=-0.000730, p2=-0.000144),
    ),
}
_FREIBURG = re.compile(r"(?:freiburg|(?<![a-z])fr)([123])(?!\d)", re.IGNORECASE)


class TumCamera(NamedTuple):
    """The camera of a recording.

    Attributes:
        intrinsics: Pinhole matrix, and the size of the image that it belongs to.
        distortion: Distortion of the lens, or None.
        texts: Files that state it.
        notes: How it was found, where no file states it.
    """

    intrinsics: Intrinsics
    distortion: LensDistortion | None = None
    texts: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def dataset_of(folder: Path, trajectory: Path) -> str | None:
    """Return the name of a known dataset whose release has no intrinsics; None if unknown."""
    if trajectory.name.endswith(".gt.freiburg"):
        return ICL
    if "rgbd_bonn" in folder.name.lower():
        return BONN
    match = _FREIBURG.search(folder.name) or _FREIBURG.fullmatch(folder.parent.name)
    return f"freiburg{match[1]}" if match else None


def camera_of(folder: Path, dataset: str | None, given: NDArray[np.float64] | None) -> TumCamera:
    """Return the camera of a recording: as given, as its file states, or of a known dataset.

    Args:
        folder: Folder of the recording.
        dataset: Name of a known dataset, or None.
        given: (3, 3) pinhole matrix of the user, or None.

    Raises:
        InputError: A file of intrinsics is wrong, or there is none and the dataset is unknown.
    """
    if given is not None:
        return TumCamera(Intrinsics(matrix=given))
    path, stated = find_intrinsics(folder, None, INTRINSICS_FILES)
    if stated is not None:
        return TumCamera(stated, texts=() if path is None else (path,))
    if dataset is None:
        raise InputError(
            f"{folder} has no intrinsics, and its name is none of a sequence of TUM RGB-D "
            f"(rgbd_dataset_freiburg1_...); write {INTRINSICS_FILES[0]} with fx fy cx cy, or pass "
            "--intrinsics fx fy cx cy"
        )
    (fx, fy, cx, cy), distortion = _KNOWN[dataset]
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64)
    note = (
        f"{folder}: by its name, the intrinsics are those of {dataset}: {fx:g} {fy:g} {cx:g} "
        f"{cy:g}; --intrinsics states others, without distortion"
    )
    return TumCamera(Intrinsics(matrix=matrix, size=_SIZE), distortion, notes=(note,))
