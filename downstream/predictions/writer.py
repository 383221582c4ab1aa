"""Predictions that evaluation writes: one PLY or PNG per cloud, or a ScanNet submission."""

from __future__ import annotations

from pathlib import Path

from downstream.benchmarks import Benchmark, ScanNet, Split
from downstream.predictions import Format
from downstream.predictions.box_picture import show_boxes, write_boxes_ply
from downstream.predictions.files import (
    write_prediction_ply,
    write_scannet_submission,
    zip_scannet_submission,
)
from downstream.predictions.picture import draw_prediction
from downstream.predictor import CloudPrediction
from downstream.tasks.detection import likeliest_of_each
from downstream.types import DetectedBoxes, LabelledCloud
from pointcontrast.errors import InputError

SHOWN_SCORE = 0.5
"""Score from which boxes are drawn or written; average precision counts all."""


class PredictionWriter:
    """Writes predictions one by one."""

    def __init__(
        self,
        folder: Path,
        format: Format,
        benchmark: Benchmark,
        split: Split | None = None,
        *,
        partial: bool = False,
    ) -> None:
        """Write to ``folder``.

        Args:
            folder: Folder of the files.
            format: Format of the files.
            benchmark: Benchmark of the clouds.
            split: Split that is predicted; None for the benchmark's own.
            partial: Whether a submission may lack scans of the split.

        Raises:
            InputError: the benchmark does not have this format, or lacks scans.
        """
        if benchmark.task.predicts == "clouds":
            raise InputError("--predictions is for tasks with a class for each point, or boxes")
        if format == "scannet" and not isinstance(benchmark, ScanNet):
            raise InputError("--predictions scannet is for the ScanNet benchmark; use ply")
        if format == "scannet" and not partial:
            _check_complete(benchmark, split or benchmark.final_split)
        self._written: list[str] = []
        self.folder = folder
        self.format = format
        self.class_names = tuple(benchmark.class_names)
        self.world_from_camera = benchmark.world_from_camera

    def write(self, cloud: LabelledCloud, prediction: CloudPrediction | DetectedBoxes) -> None:
        """Write the predictions of a cloud's points, in the order of the points, or its boxes.

        Coordinates in files are those of the cloud's source.
        """
        if isinstance(prediction, DetectedBoxes):
            self._write_boxes(cloud, prediction)
            return
        assert prediction.point_classes is not None
        if self.format == "scannet":
            write_scannet_submission(self.folder, cloud.name, prediction.point_classes)
            self._written.append(cloud.name)
            return
        if self.format in ("png", "window"):
            draw_prediction(self._picture(cloud), cloud, prediction, self.class_names)
            return
        write_prediction_ply(
            self.folder / f"{cloud.name}.ply",
            cloud.in_source_frame(cloud.points),
            prediction.point_classes,
            self.class_names,
            labels=None if cloud.labels is None else prediction.point_labels,
        )

    def _write_boxes(self, cloud: LabelledCloud, detected: DetectedBoxes) -> None:
        """Write the boxes of at least ``SHOWN_SCORE``, each with its most probable class."""
        shown = likeliest_of_each(detected, SHOWN_SCORE)
        if self.format == "ply":
            write_boxes_ply(self.folder, cloud, shown, self.class_names)
            return
        path = self._picture(cloud)
        show_boxes(
            cloud,
            shown,
            self.class_names,
            png=path,
            window="always" if path is None else "never",
            world_from_camera=self.world_from_camera,
        )

    def _picture(self, cloud: LabelledCloud) -> Path | None:
        """File to draw to; None for a window."""
        return self.folder / f"{cloud.name}.png" if self.format == "png" else None

    def finish(self) -> Path:
        """Pack a submission; returns the file or folder that was written."""
        if self.format != "scannet":
            return self.folder
        return zip_scannet_submission(self.folder, self._written)


def _check_complete(benchmark: Benchmark, split: Split) -> None:
    """Check that every scan of a split is there: the server takes complete submissions only."""
    everything, held = benchmark.all_names(split), set(benchmark.names(split))
    missing = [name for name in everything if name not in held]
    if missing:
        raise InputError(
            f"{benchmark.arguments['root']} holds {len(held)} of the {len(everything)} scans of "
            f"the {split} split, not {missing[0]} for one: the benchmark scores complete "
            "submissions only. Convert the other scans, or add --partial-submission for a file of "
            "these alone"
        )
