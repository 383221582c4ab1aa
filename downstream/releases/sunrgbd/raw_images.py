"""An image before conversion, in either form of the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from downstream.releases.sunrgbd.annotations import Annotation
from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem

_TILT_TOLERANCE = 0.05  # of R R^T; the files have six decimals

Labels = Literal["v1", "v2"]
ImageSplit = Literal["train", "validation"]

NUM_IMAGES = 10_335
LAST_VALIDATION = 5_050
"""Last validation image. In the official split, by the order of the metadata, images up to this
number are for validation and all others for training (facebookresearch/votenet
``sunrgbd/sunrgbd_data.py``)."""


@dataclass(frozen=True, kw_only=True)
class RawImage:
    """Files, camera and annotations of an image.

    Attributes:
        number: Number from 1, the position in the metadata of the release; it names the scene.
        split: Split of the image.
        intrinsics: Camera matrix (3, 3), pixels; None if unknown (VoteNet's prepared arrays).
        tilt: Rotation (3, 3) from the camera's right, forward, up to the upright frame; or None.
        annotations: Annotated objects of all classes.
        points_file: Coloured points (output of VoteNet's scripts); or None.
        depth_file: Depth image (release); or None.
        color_file: Picture (release); or None.
        sequence: Folder in the release; empty if unknown.
    """

    number: int
    split: ImageSplit
    intrinsics: NDArray[np.float64] | None
    tilt: NDArray[np.float64] | None
    annotations: tuple[Annotation, ...]
    points_file: Path | None = None
    depth_file: Path | None = None
    color_file: Path | None = None
    sequence: str = ""

    @property
    def name(self) -> str:
        """Number with six digits, as the MATLAB script names files."""
        return image_name(self.number)

    @property
    def files(self) -> tuple[Path, ...]:
        """Files to read."""
        return tuple(f for f in (self.points_file, self.depth_file, self.color_file) if f)


def image_name(number: int) -> str:
    """Return the name of an image's scene."""
    return f"{number:06d}"


class FoundImages(NamedTuple):
    """Images of a release.

    Attributes:
        images: Images that can be converted.
        notes: Irregularities of the release as a whole.
        failures: Name -> reason, for images whose camera or annotations are missing or wrong.
        left_out: Lines that list files with other names than the release's.
    """

    images: list[RawImage]
    notes: list[str]
    failures: dict[str, str]
    left_out: list[str]


def check_camera(
    intrinsics: NDArray[np.float64], tilt: NDArray[np.float64], where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return camera matrix and tilt (3, 3), if they are that.

    Raises:
        InputError: A value is not finite, the focal length is not positive, or the tilt is no
            rotation. (A tilt of zeros would put every point at the camera.)
    """
    if not np.isfinite(intrinsics).all() or intrinsics[0, 0] <= 0 or intrinsics[1, 1] <= 0:
        raise InputError(f"{where}: K is no camera matrix: {intrinsics.tolist()}")
    pose = np.eye(4)
    pose[:3, :3] = tilt
    problem = rigid_problem(pose, _TILT_TOLERANCE)
    if problem:
        raise InputError(f"{where}: Rtilt {problem}")
    return intrinsics, tilt


def split_by_number(number: int) -> ImageSplit:
    """Return the official split of an image by its number."""
    return "validation" if number <= LAST_VALIDATION else "train"


def num_split_otherwise(splits: Iterable[ImageSplit]) -> int:
    """Count the images whose split differs from :func:`split_by_number`.

    Args:
        splits: Splits of all images, in the order of the metadata. If their number differs from
            that of the official release, numbers say nothing about the split and 0 is returned.
    """
    found = list(splits)
    if len(found) != NUM_IMAGES:
        return 0
    return sum(split != split_by_number(number) for number, split in enumerate(found, start=1))
