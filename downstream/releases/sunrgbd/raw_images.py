"""One image of the data as either form describes it, before anything heavy is read."""

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
"""Images 1 to this validate, all others train: the official split, by the order of the meta data
(facebookresearch/votenet ``sunrgbd/sunrgbd_data.py``)."""


@dataclass(frozen=True, kw_only=True)
class RawImage:
    """Where the files of one image are, and what is known of it.

    Attributes:
        number: from 1, its place in the release's meta data; its scene is named by it.
        split: of the official split.
        points_file: points with colours (the MATLAB form); or None.
        depth_file: depth image (the release); or None.
        color_file: picture (the release); or None.
        intrinsics: (3, 3) pixels.
        tilt: (3, 3) from the camera's right, forward, up to the upright frame.
        annotations: of all classes.
        sequence: its folder in the release; empty where it is not known.
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
        """Six digits, as in the MATLAB form."""
        return f"{self.number:06d}"

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read of it."""
        return tuple(f for f in (self.points_file, self.depth_file, self.color_file) if f)


def split_by_number(number: int) -> ImageSplit:
    """Where an image belongs when only its number is known."""
    return "validation" if number <= LAST_VALIDATION else "train"


def num_split_otherwise(splits: Iterable[ImageSplit]) -> int:
    """How many images are in another split than :func:`split_by_number` says.

    Args:
        splits: of all images, in the order of the meta data. Numbers say nothing of a release
            with more or fewer images than the official one: there none is counted.
    """
    found = list(splits)
    if len(found) != NUM_IMAGES:
        return 0
    return sum(split != split_by_number(number) for number, split in enumerate(found, start=1))
