"""SUN RGB-D: detection in 10,335 RGB-D images, boxes of 10 classes with headings."""

from __future__ import annotations

import numpy as np

from downstream.benchmarks.benchmark import Split
from downstream.benchmarks.detection import DetectionBenchmark
from downstream.benchmarks.labelled_scenes import SceneBenchmark, existing_folders
from downstream.label_lists.scenes import read_scene_list
from downstream.releases.sunrgbd.classes import CLASS_NAMES
from downstream.tasks.detection import DetectionSettings


class SUNRGBD(DetectionBenchmark):
    """Folders ``<root>/000001`` of ``datasets/sunrgbd.py scenes``, v1 or v2 labels as converted.

    Validation is the official test split, images 1 to 5050; there is no other.
    """

    class_names = CLASS_NAMES
    final_split: Split = "validation"
    world_from_camera = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])

    def __init__(
        self,
        root: str,
        num_points: int = 20_000,
        mean_sizes: list[list[float]] | None = None,
        detection: DetectionSettings = DetectionSettings(),  # noqa: B008 (no state)
    ) -> None:
        """Read scenes from ``root``.

        Args:
            root: Folder of labelled scenes.
            num_points: Points per cloud, drawn at random.
            mean_sizes: (C, 3) full mean sizes, metres; None for those that the converter measured.
            detection: Post-processing and scoring.
        """
        super().__init__(
            _Images(root),
            num_points=num_points,
            num_heading_bins=12,
            mean_sizes=mean_sizes,
            settings=detection,
            root=root,
        )


class _Images(SceneBenchmark):
    """Images of each split, from the lists that the converter wrote."""

    class_names = CLASS_NAMES

    def names(self, split: Split) -> list[str]:
        """List the images of the official split; test is validation."""
        name = "train" if split == "train" else "validation"
        listed = read_scene_list(self.root / f"{name}.txt")
        return existing_folders(self.root, sorted(listed), f"images of the {split} split")
