"""Conversion of images, of either form, to labelled scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.boxes.statistics import STATISTICS, measure_boxes, write_box_statistics
from downstream.label_lists.scenes import write_scene_list
from downstream.releases.sunrgbd import layout, matlab_folder, votenet_folder
from downstream.releases.sunrgbd.annotations import boxes_of, has_boxes
from downstream.releases.sunrgbd.classes import CLASS_NAMES
from downstream.releases.sunrgbd.depth import points_of, read_color, read_depth
from downstream.releases.sunrgbd.raw_images import FoundImages, ImageSplit, Labels, RawImage
from pointcontrast.errors import InputError
from pointcontrast.files import read_json
from pointcontrast.labelled_scene import LabelledScene
from pointcontrast.preparation.scene_conversion import (
    ConvertedScene,
    convert_all,
    make_scene,
    source_fingerprint,
)
from pointcontrast.preparation.workers import THIS_PROCESS, Workers

FEW_POINTS = 1024
"""Images with fewer points are noted. VoteNet draws this many seeds, which then repeat."""

_RECIPE = 1  # increased when the same files would give other scenes
_SPLITS: tuple[ImageSplit, ...] = ("train", "validation")


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Settings of the conversion.

    Attributes:
        labels: Version of the boxes. VoteNet and PointContrast report results on v1.
        max_points: Maximum number of points per image, drawn at random; 0 keeps all. VoteNet's
            preprocessing keeps 50,000.
        keep_empty: Whether to keep images without a box of the ten classes. VoteNet's
            preprocessing leaves them out.
    """

    labels: Labels = "v1"
    max_points: int = 50_000
    keep_empty: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: ``max_points`` is negative.
        """
        if self.max_points < 0:
            raise InputError(f"--max-points {self.max_points} must be 0 or more")


def find_images(folder: Path, labels: Labels) -> FoundImages:
    """Find the images of a release, or of the output of VoteNet's scripts.

    Raises:
        InputError: The folder is neither, or a required file is missing or wrong.
    """
    if layout.is_release(folder):
        return layout.find_images(folder, labels)
    if matlab_folder.is_matlab_folder(folder):
        return matlab_folder.find_images(folder, labels)
    if votenet_folder.is_votenet_folder(folder):
        return votenet_folder.find_images(folder, labels)
    raise InputError(
        f"{folder} is neither the release ({layout.BOXES_V2} and SUNRGBD/), nor the output of "
        "VoteNet's MATLAB script (depth/ and calib/), nor its prepared arrays "
        "(sunrgbd_pc_bbox_votes_50k_v1_train/000001_pc.npz)"
    )


def convert_images(
    images: Sequence[RawImage],
    output: Path,
    settings: ImageSettings,
    workers: Workers = THIS_PROCESS,
    *,
    failures: Mapping[str, str] | None = None,
) -> tuple[list[ConvertedScene], dict[str, str]]:
    """Convert images in parallel, and write the split lists and the training split's mean sizes.

    Args:
        images: Images of :func:`find_images`.
        output: Folder of the scenes.
        settings: Settings of the conversion.
        workers: Worker processes.
        failures: Images that could not be found whole (:class:`FoundImages`), added to the result.

    Returns:
        Finished images, and failures (name -> reason), both in the order of their numbers.
    """
    root = output.absolute()
    chosen = [i for i in images if settings.keep_empty or has_boxes(i.annotations)]
    tasks = {image.name: (image, root, settings) for image in chosen}
    finished, failed = convert_all(convert_image, tasks, workers, unit="image")
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
    return finished, dict(sorted({**(failures or {}), **failed}.items()))


def report(images: Sequence[RawImage], output: Path, finished: Sequence[ConvertedScene]) -> str:
    """Return lines with the numbers of images and boxes, and of what was left out."""
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
        f"{len(images)} images: {splits['train']} for training, "
        f"{splits['validation']} for validation",
        f"{without} images without a box of the {len(CLASS_NAMES)} classes",
        f"{sum(scene.num_boxes for scene in finished)} boxes; {empty} of them contain no point",
        f"{degenerate} boxes without size, centre or heading left out",
        f"{sum(left_out.values())} objects of {len(left_out)} other classes left out"
        + (f" ({common}{', ...' if len(left_out) > 5 else ''})" if left_out else ""),
    ]
    return "\n".join(lines)


def read_image(image: RawImage, settings: ImageSettings) -> LabelledScene:
    """Read an image as a labelled scene, in its upright frame.

    Raises:
        InputError: A file is missing or wrong, or no pixel has depth.
    """
    points, colors, notes = _points(image)
    if not len(points):
        raise InputError(f"{image.files[0]} has no pixel with depth; leave the image out")
    if settings.max_points and len(points) > settings.max_points:
        rng = np.random.default_rng(image.number)
        rows = np.sort(rng.choice(len(points), settings.max_points, replace=False))
        points, colors = points[rows], colors[rows]
    found = boxes_of(image.annotations, points)
    if len(points) < FEW_POINTS:
        notes.append(f"only {len(points)} points")
    if found.num_degenerate:
        notes.append(f"{found.num_degenerate} boxes without size, centre or heading left out")
    details: dict[str, Any] = {
        "notes": notes,
        "split": image.split,
        "tilt": _listed(image.tilt),
        "intrinsics": _listed(image.intrinsics),
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


def _points(image: RawImage) -> tuple[NDArray[np.float32], NDArray[np.uint8], list[str]]:
    """Read points, colours and notes, from whichever files the image has."""
    if image.points_file is not None:
        if image.points_file.suffix == ".npz":
            return votenet_folder.read_points(image.points_file)
        return matlab_folder.read_points(image.points_file)
    assert image.depth_file is not None
    assert image.color_file is not None
    assert image.intrinsics is not None
    assert image.tilt is not None
    depth = read_depth(image.depth_file)
    colors = read_color(image.color_file, (depth.shape[0], depth.shape[1]))
    points, seen = points_of(depth, image.intrinsics, image.tilt)
    return points, colors[seen], []


def _listed(matrix: NDArray[np.float64] | None) -> list[list[float]] | None:
    return None if matrix is None else matrix.tolist()


def convert_image(image: RawImage, output: Path, settings: ImageSettings) -> ConvertedScene:
    """Convert an image, unless it is finished.

    Args:
        image: The image.
        output: Folder of the scenes. The scene is written to ``output/<name>``, atomically.
        settings: Settings of the conversion.

    Raises:
        InputError: A file of the image is missing or wrong, or it has no depth.
    """
    annotated = [list(map(str, vars(found).values())) for found in image.annotations]
    wanted = {
        "recipe": _RECIPE,
        "labels": settings.labels,
        "max_points": settings.max_points,
        "split": image.split,
        "tilt": _listed(image.tilt),
        "intrinsics": _listed(image.intrinsics),
        "annotations": annotated,
        "files": source_fingerprint(image.files),
    }
    return make_scene(output, image.name, wanted, lambda: read_image(image, settings))
