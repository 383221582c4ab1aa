"""An image before conversion, in either form of the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from downstream.releases.sunrgbd.annotations import Annotation

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
        intrinsics: Camera matrix (3, 3), pixels.
        tilt: Rotation (3, 3) from the camera's right, forward, up to the upright frame.
        annotations: Annotated objects of all classes.
        points_file: Coloured points (output of the MATLAB script); or None.
        depth_file: Depth image (release); or None.
        color_file: Picture (release); or None.
        sequence: Folder in the release; empty if unknown.
    """

    number: int
    split: ImageSplit
    intrinsics: NDArray[np.float64]
    tilt: NDArray[np.float64]
    annotations: tuple[Annotation, ...]
    points_file: Path | None = None
    depth_file: Path | None = None
    color_file: Path | None = None
    sequence: str = ""

    @property
    def name(self) -> str:
        """Number with six digits, as the MATLAB script names files."""
        return f"{self.number:06d}"

    @property
    def files(self) -> tuple[Path, ...]:
        """Files to read."""
        return tuple(f for f in (self.points_file, self.depth_file, self.color_file) if f)


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
