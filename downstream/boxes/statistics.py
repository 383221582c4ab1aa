"""Numbers of boxes by class, and their mean sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json, write_json
from pointcontrast.labelled_scene import read_labelled_scene

STATISTICS = "box_statistics.json"
"""File in the folder of the scenes."""

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class BoxStatistics:
    """Statistics of the boxes of labelled scenes.

    Attributes:
        class_names: Names of the C classes.
        num_boxes: Number of boxes of each class.
        mean_sizes: (C, 3) float64 full mean sizes, metres; for a class without a box the mean over
            all boxes.
        num_scenes: Number of scenes measured.
    """

    class_names: tuple[str, ...]
    num_boxes: tuple[int, ...]
    mean_sizes: NDArray[np.float64]
    num_scenes: int

    def of_classes(self, class_names: Sequence[str]) -> NDArray[np.float64]:
        """Select the mean sizes (C, 3) of some classes.

        Raises:
            InputError: a class is unknown.
        """
        for name in class_names:
            if name not in self.class_names:
                raise InputError(
                    f"{STATISTICS} has no class {name!r}, but {', '.join(self.class_names)}; "
                    "convert the scenes again"
                )
        return self.mean_sizes[[self.class_names.index(name) for name in class_names]]


def measure_boxes(folders: Iterable[Path], class_names: Sequence[str]) -> BoxStatistics:
    """Measure the boxes of labelled scenes.

    Args:
        folders: Folders of the scenes.
        class_names: Classes to measure; boxes of other classes are ignored.

    Raises:
        InputError: a scene cannot be read, or none has a box of these classes.
    """
    sums, counts = np.zeros((len(class_names), 3)), np.zeros(len(class_names), np.int64)
    rows = {name: row for row, name in enumerate(class_names)}
    num_scenes = 0
    for folder in folders:
        scene = read_labelled_scene(folder, check_values=False)
        num_scenes += 1
        for box in scene.boxes if scene.boxes is not None else ():
            row = rows.get(scene.class_names[int(box[7])]) if box[7] >= 0 else None
            if row is not None:
                sums[row] += box[3:6]
                counts[row] += 1
    if not counts.sum():
        raise InputError(
            f"the {num_scenes} scenes have no box of {', '.join(class_names)} to measure; convert "
            "them with their objects, or name other classes"
        )
    mean = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], sums.sum(axis=0))
    mean[counts == 0] /= counts.sum()
    return BoxStatistics(
        class_names=tuple(class_names),
        num_boxes=tuple(counts.tolist()),
        mean_sizes=mean,
        num_scenes=num_scenes,
    )


def write_box_statistics(path: Path, statistics: BoxStatistics) -> None:
    """Write statistics as JSON, atomically."""
    write_json(
        path,
        {
            "format_version": FORMAT_VERSION,
            "num_scenes": statistics.num_scenes,
            "classes": {
                name: {"num_boxes": count, "mean_size": size}
                for name, count, size in zip(
                    statistics.class_names,
                    statistics.num_boxes,
                    statistics.mean_sizes.tolist(),
                    strict=True,
                )
            },
        },
    )


def read_box_statistics(path: Path) -> BoxStatistics:
    """Read statistics.

    Raises:
        InputError: the file is missing, damaged or of another version.
    """
    content = read_json(path)
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path} is of format version {version}, this program reads {FORMAT_VERSION}; convert "
            "the scenes again"
        )
    try:
        classes = content["classes"]
        sizes = np.array([facts["mean_size"] for facts in classes.values()], dtype=np.float64)
        found = BoxStatistics(
            class_names=tuple(classes),
            num_boxes=tuple(int(facts["num_boxes"]) for facts in classes.values()),
            mean_sizes=sizes,
            num_scenes=int(content["num_scenes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error!r}); convert the scenes again") from None
    if sizes.shape != (len(classes), 3) or not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise InputError(f"{path} is damaged: mean sizes must be positive; convert again")
    return found
