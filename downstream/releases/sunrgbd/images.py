"""Images of either form to labelled scenes, and what is known of all of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.boxes.statistics import STATISTICS, measure_boxes, write_box_statistics
from downstream.label_lists.scenes import write_scene_list
from downstream.releases.sunrgbd import layout, matlab_folder
from downstream.releases.sunrgbd.annotations import boxes_of, has_boxes
from downstream.releases.sunrgbd.classes import CLASS_NAMES
from downstream.releases.sunrgbd.depth import points_of, read_color, read_depth
from downstream.releases.sunrgbd.raw_images import ImageSplit, Labels, RawImage
from pointcontrast.errors import InputError
from pointcontrast.files import read_json
from pointcontrast.labelled_scene import LabelledScene
from pointcontrast.preparation.scene_conversion import (
    ConvertedScene,
    convert_all,
    fingerprint,
    make_scene,
)

FEW_POINTS = 1024
"""An image with fewer is noted: VoteNet draws as many seeds, and here some come twice."""

_RECIPE = 1  # raised when the code comes to make other scenes from the same files
_SPLITS: tuple[ImageSplit, ...] = ("train", "validation")


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """How images become scenes.

    Attributes:
        labels: v1, which VoteNet and PointContrast report on, or v2.
        max_points: of an image, drawn at random; 0 keeps all. VoteNet's preprocessing keeps 50,000.
        keep_empty: keep images without a box of the ten classes, which VoteNet's leaves out.
    """

    labels: Labels = "v1"
    max_points: int = 50_000
    keep_empty: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a number is negative.
        """
        if self.max_points < 0:
            raise InputError(f"--max-points {self.max_points} must be 0 or more")


def find_images(folder: Path, labels: Labels) -> tuple[list[RawImage], list[str]]:
    """The images of a release, or of the folder that the MATLAB step leaves; and notes.

    Raises:
        InputError: the folder is neither, or a file that is needed is missing or wrong.
    """
    if layout.is_release(folder):
        return layout.find_images(folder, labels)
    if matlab_folder.is_matlab_folder(folder):
        return matlab_folder.find_images(folder, labels)
    raise InputError(
        f"{folder} is neither the release ({layout.BOXES_V2} beside SUNRGBD/) nor what VoteNet's "
        "MATLAB step leaves (depth/ and calib/)"
    )


def convert_images(
    images: Sequence[RawImage],
    output: Path,
    settings: ImageSettings,
    *,
    num_workers: int | None = 1,
    scheduler: str | None = None,
    memory_limit: str = "auto",
    progress: bool = False,
) -> tuple[list[ConvertedScene], dict[str, str]]:
    """Make the labelled scenes of many images; one that fails does not stop the others.

    Beside the scenes come the lists of both splits and, of the training scenes, the mean sizes.
    Arguments and result as of :func:`pointcontrast.preparation.scene_conversion.convert_all`.
    """
    root = Path(os.path.abspath(output))
    chosen = [i for i in images if settings.keep_empty or has_boxes(i.annotations)]
    finished, failures = convert_all(
        _convert,
        {image.name: (image, root, settings) for image in chosen},
        num_workers=num_workers,
        scheduler=scheduler,
        memory_limit=memory_limit,
        progress=progress,
        unit="image",
    )
    num_boxes = {scene.scene: scene.num_boxes for scene in finished}
    for split in _SPLITS:
        names = [image.name for image in chosen if image.split == split and image.name in num_boxes]
        if names:
            comment = f"SUN RGB-D, {split}: {len(names)} images, labels {settings.labels}"
            write_scene_list(root / f"{split}.txt", names, comment)
    training = [i.name for i in chosen if i.split == "train" and i.name in num_boxes]
    if any(num_boxes[name] for name in training):
        measured = measure_boxes([root / name for name in training], CLASS_NAMES)
        write_box_statistics(root / STATISTICS, measured)
    return finished, failures


def report(images: Sequence[RawImage], output: Path, finished: Sequence[ConvertedScene]) -> str:
    """What was left out and what is odd, counted."""
    left_out: Counter[str] = Counter()
    degenerate = empty = 0
    for scene in finished:
        details = read_json(output / scene.scene / "meta.json")["details"]
        left_out.update(details["left_out"])
        degenerate += details["num_degenerate"]
        empty += details["num_empty"]
    without = sum(not has_boxes(image.annotations) for image in images)
    splits = Counter(image.split for image in images)
    common = ", ".join(f"{name} {count}" for name, count in left_out.most_common(5))
    lines = [
        f"{len(images)} images: {splits['train']} to train on, {splits['validation']} to validate",
        f"{without} images without a box of the {len(CLASS_NAMES)} classes",
        f"{sum(scene.num_boxes for scene in finished)} boxes; {empty} of them hold no point",
        f"{degenerate} boxes without size, place or heading left out",
        f"{sum(left_out.values())} objects of {len(left_out)} other classes left out"
        + (f" ({common}{', ...' if len(left_out) > 5 else ''})" if left_out else ""),
    ]
    return "\n".join(lines)


def read_image(image: RawImage, settings: ImageSettings) -> LabelledScene:
    """One image as a labelled scene, in its upright frame.

    Raises:
        InputError: a file is missing or wrong, or nothing was measured.
    """
    points, colors = _points(image)
    if not len(points):
        raise InputError(f"{image.files[0]} has no pixel with depth; leave the image out")
    if settings.max_points and len(points) > settings.max_points:
        rng = np.random.default_rng(image.number)
        rows = np.sort(rng.choice(len(points), settings.max_points, replace=False))
        points, colors = points[rows], colors[rows]
    found = boxes_of(image.annotations, points)
    notes = []
    if len(points) < FEW_POINTS:
        notes.append(f"only {len(points)} points")
    if found.num_degenerate:
        notes.append(f"{found.num_degenerate} boxes without size, place or heading left out")
    details: dict[str, Any] = {
        "notes": notes,
        "split": image.split,
        "tilt": image.tilt.tolist(),
        "intrinsics": image.intrinsics.tolist(),
        "rectangles": found.rectangles,
        "left_out": found.left_out,
        "num_degenerate": found.num_degenerate,
        "num_empty": found.num_empty,
    }
    source = {"dataset": "SUN RGB-D", "image": image.number, "labels": settings.labels}
    if image.sequence:
        source["sequence"] = image.sequence
    return LabelledScene(
        coord=points,
        color=colors,
        boxes=found.boxes,
        class_names=CLASS_NAMES,
        source=source,
        details=details,
    )


def _points(image: RawImage) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    if image.points_file is not None:
        return matlab_folder.read_points(image.points_file)
    assert image.depth_file is not None
    assert image.color_file is not None
    depth = read_depth(image.depth_file)
    colors = read_color(image.color_file, (depth.shape[0], depth.shape[1]))
    points, seen = points_of(depth, image.intrinsics, image.tilt)
    return points, colors[seen]


def _convert(task: tuple[RawImage, Path, ImageSettings]) -> ConvertedScene:
    image, output, settings = task
    annotated = [list(map(str, vars(found).values())) for found in image.annotations]
    wanted = {
        "recipe": _RECIPE,
        "labels": settings.labels,
        "max_points": settings.max_points,
        "split": image.split,
        "tilt": image.tilt.tolist(),
        "intrinsics": image.intrinsics.tolist(),
        "annotations": annotated,
        "files": fingerprint(image.files),
    }
    return make_scene(output, image.name, wanted, lambda: read_image(image, settings))
