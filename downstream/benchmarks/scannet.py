"""ScanNet v2: 1201 scans to train on, 312 to validate on, 100 without labels.

20 classes of points; 18 of boxes, all but wall and floor.
"""

from __future__ import annotations

from pathlib import Path

from downstream.benchmarks.benchmark import Split
from downstream.benchmarks.detection import DetectionBenchmark
from downstream.benchmarks.labelled_scenes import SceneBenchmark, existing_folders
from downstream.benchmarks.split_files import split_folder
from downstream.releases.scannet.classes import CLASS_NAMES, DETECTION_CLASS_NAMES
from downstream.releases.scannet.release import read_split
from downstream.tasks.detection import DetectionSettings


class ScanNet(SceneBenchmark):
    """Folders ``<root>/scene0000_00`` of ``datasets/scannet.py scenes``.

    Papers report scores of the validation split: the test labels are hidden, and the benchmark's
    server scores submissions.
    """

    class_names = CLASS_NAMES
    final_split: Split = "validation"

    def __init__(self, root: str, splits: str | None = None) -> None:
        """Read scenes from ``root``.

        Args:
            root: Folder of labelled scenes.
            splits: Folder of ``scannetv2_train.txt``, ``_val`` and ``_test``; None for the official
                ones in ``datasets/splits``.
        """
        super().__init__(root, splits=splits)
        self.splits = splits

    def names(self, split: Split) -> list[str]:
        """List the scans of the official split that exist."""
        return existing_folders(self.root, self.all_names(split), f"scans of the {split} split")

    def all_names(self, split: Split) -> list[str]:
        """List the scans of the official split."""
        folder = split_folder() if self.splits is None else Path(self.splits)
        return sorted(read_split(folder, "val" if split == "validation" else split))


class ScanNetDetection(DetectionBenchmark):
    """Detection in the same folders, converted with objects. Boxes are axis-aligned."""

    class_names = DETECTION_CLASS_NAMES
    final_split: Split = "validation"

    def __init__(
        self,
        root: str,
        splits: str | None = None,
        num_points: int = 40_000,
        mean_sizes: list[list[float]] | None = None,
        detection: DetectionSettings = DetectionSettings(),  # noqa: B008 (no state)
    ) -> None:
        """Read scenes from ``root``.

        Args:
            root: Folder of labelled scenes.
            splits: See :class:`ScanNet`.
            num_points: Points per cloud, drawn at random.
            mean_sizes: (C, 3) full mean sizes, metres; None measures them on the training scans.
            detection: Post-processing and scoring.
        """
        super().__init__(
            ScanNet(root, splits),
            num_points=num_points,
            num_heading_bins=1,
            mean_sizes=mean_sizes,
            settings=detection,
            root=root,
            splits=splits,
        )
