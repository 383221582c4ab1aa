"""Detection of objects in labelled scenes, for SUN RGB-D, ScanNet and other scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.benchmarks.benchmark import Benchmark, Split
from downstream.benchmarks.cloud_preparation import CloudPreparation, drawn_rows, scan_generator
from downstream.benchmarks.labelled_scenes import LabelledScenes, SceneBenchmark, upright_cloud
from downstream.boxes.statistics import STATISTICS, measure_boxes, read_box_statistics
from downstream.boxes.votes import NUM_VOTES, box_rows
from downstream.tasks.box_coding import BoxCoding
from downstream.tasks.detection import Detection, DetectionSettings
from downstream.types import LabelledCloud
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene
from pointcontrast.labelled_scene_checks import check_ranges

Settings = DetectionSettings | Mapping[str, Any]
"""Settings, or a mapping of them as network files hold it."""


class DetectionBenchmark(Benchmark):
    """Labelled scenes whose boxes are detected.

    A cloud has ``num_points`` random points of a scene: others each time in training, always the
    same in validation and test. (VoteNet draws others there too, and its scores vary by half a
    point between evaluations.)
    """

    truth = "boxes"
    empty_truth = "no box is of its classes"
    keeps_unscored = True

    def __init__(
        self,
        scenes: SceneBenchmark,
        *,
        num_points: int,
        num_heading_bins: int,
        mean_sizes: Sequence[Sequence[float]] | None,
        settings: Settings,
        **arguments: Any,
    ) -> None:
        """Detect in the scenes of another benchmark.

        Args:
            scenes: Benchmark with the folder and the splits.
            num_points: Points per cloud; a scene with fewer gives all.
            num_heading_bins: Bins of headings; 1 for axis-aligned boxes.
            mean_sizes: (C, 3) full mean sizes, metres; None for those that the converter wrote, or
                else those of the boxes of the training scenes.
            settings: Post-processing and scoring.
            arguments: Further arguments of the subclass.

        Raises:
            InputError: a number is below 1, or a setting is unknown.
        """
        if num_points < 1 or num_heading_bins < 1:
            raise InputError(
                f"num_points {num_points} and num_heading_bins {num_heading_bins} must be 1 or more"
            )
        if not isinstance(settings, DetectionSettings):
            settings = DetectionSettings(**settings)
        super().__init__(
            num_points=num_points,
            mean_sizes=mean_sizes,
            detection=asdict(settings),
            **arguments,
        )
        self.scenes = scenes
        if isinstance(scenes, LabelledScenes):
            scenes.array = "boxes"  # that decides which scenes are trained on
        self.num_points = num_points
        self.num_heading_bins = num_heading_bins
        self.settings = settings
        self._mean_sizes = mean_sizes
        self._task: Detection | None = None

    @property
    def preparation(self) -> CloudPreparation:
        """Draw ``num_points`` random points."""
        return CloudPreparation(num_points=self.num_points)

    @property
    def task(self) -> Detection:
        """Detection of boxes coded relative to the mean sizes."""
        if self._task is None:
            coding = BoxCoding(self.mean_sizes(), self.num_heading_bins)
            self._task = Detection(self.class_names, coding, self.settings)
        return self._task

    def saved_arguments(self) -> dict[str, Any]:
        """Arguments with the mean sizes, so that outputs mean the same on other data."""
        return {**self.arguments, "mean_sizes": self.mean_sizes()}

    def names(self, split: Split) -> list[str]:
        """List the scenes of a split."""
        return self.scenes.names(split)

    def has_truth(self, name: str) -> bool:
        """Whether a scene has boxes, perhaps none of them an object's."""
        return "boxes" in self.scenes.record(name).arrays

    def any_truth(self, names: Sequence[str]) -> bool:
        """Whether one of these scenes has a box of the classes; stops at the first."""
        return any(len(self.boxes(name)) for name in names)

    def digest(self, name: str) -> str:
        """Digest of a scene's checksums."""
        return self.scenes.digest(name)

    def take_classes(self, class_names: Sequence[str]) -> None:
        """Take the classes of a network where no scene names any."""
        self.scenes.take_classes(class_names)

    def read(self, name: str, rng: np.random.Generator | None = None) -> LabelledCloud:
        """Read random points of one scene, rotated upright, with their boxes."""
        scene = self._scene(name)
        if scene.boxes is None and rng is not None:
            raise InputError(
                f"{self.scenes.root / name} has no boxes to train on; convert it again with its "
                "objects, or leave it out (data.scene_list)"
            )
        draw = scan_generator(name) if rng is None else rng
        scene = _at_rows(scene, drawn_rows(len(scene), self.num_points, draw))
        cloud = replace(upright_cloud(scene, name), labels=None)
        if scene.boxes is None:
            return cloud
        boxes, kept = self._own(scene)
        return replace(cloud, boxes=boxes, box_rows=_votes(scene, boxes, kept))

    def boxes(self, name: str) -> NDArray[np.float32]:
        """Read the boxes (K, 8) of the benchmark's classes in a scene; none if it has none."""
        scene = self._scene(name)
        return np.empty((0, 8), np.float32) if scene.boxes is None else self._own(scene)[0]

    def mean_sizes(self) -> list[list[float]]:
        """Full mean sizes (C, 3), metres, that box sizes are coded relative to."""
        if self._mean_sizes is None:
            path = self.scenes.root / STATISTICS
            if path.exists():
                found = read_box_statistics(path).of_classes(self.class_names)
            else:
                folders = [self.scenes.root / name for name in self.names("train")]
                found = measure_boxes(folders, self.class_names).mean_sizes
            self._mean_sizes = np.asarray(found).tolist()
        return [list(map(float, size)) for size in self._mean_sizes]

    def _scene(self, name: str) -> LabelledScene:
        scene = read_labelled_scene(self.scenes.root / name, check_values=False)
        if scene.boxes is not None:
            place = f"{self.scenes.root / name / 'boxes.npy'}"
            check_ranges({"boxes": scene.boxes}, len(scene.class_names), lambda _: place)
        if scene.boxes is not None and scene.up_axis != "z":
            raise InputError(
                f"{self.scenes.root / name}: boxes stand on the xy plane, but its up_axis is "
                f"{scene.up_axis!r}; rotate the scene so that z is up"
            )
        return scene

    def _own(self, scene: LabelledScene) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Boxes of the benchmark's classes, with its class numbers, and their rows."""
        assert scene.boxes is not None
        missing = [name for name in self.class_names if name not in scene.class_names]
        if missing:
            raise InputError(
                f"{self.scenes.root} has no class {missing[0]!r}, which {type(self).__name__} "
                f"detects; {self.scenes.remedy}, or name other classes"
            )
        own = {scene.class_names.index(name): row for row, name in enumerate(self.class_names)}
        boxes = np.array(scene.boxes)
        rows = np.array([own.get(int(number), -1) for number in boxes[:, 7]], dtype=np.float32)
        boxes[:, 7] = rows
        kept = np.flatnonzero(rows >= 0)
        return boxes[kept], kept


class DetectionScenes(DetectionBenchmark):
    """Detection in any labelled scenes, such as generated rooms."""

    def __init__(
        self,
        root: str,
        classes: list[str] | None = None,
        validation_fraction: float = 0.2,
        validation_list: str | None = None,
        test_list: str | None = None,
        num_points: int = 40_000,
        num_heading_bins: int = 12,
        mean_sizes: list[list[float]] | None = None,
        detection: DetectionSettings = DetectionSettings(),  # noqa: B008 (no state)
    ) -> None:
        """Detect objects of some classes.

        Args:
            root: Folder of labelled scenes.
            classes: Classes to detect; None for all of the scenes.
            validation_fraction: See ``LabelledScenes``.
            validation_list: See ``LabelledScenes``.
            test_list: See ``LabelledScenes``.
            num_points: Points per cloud, drawn at random.
            num_heading_bins: Bins of headings; 1 if all boxes are axis-aligned.
            mean_sizes: (C, 3) full mean sizes of the classes, metres; None measures them on the
                training scenes.
            detection: Post-processing and scoring.
        """
        scenes = LabelledScenes(root, validation_fraction, validation_list, test_list)
        super().__init__(
            scenes,
            num_points=num_points,
            num_heading_bins=num_heading_bins,
            mean_sizes=mean_sizes,
            settings=detection,
            **scenes.arguments,
            classes=classes,
        )
        self.arguments["num_heading_bins"] = num_heading_bins
        self.classes = classes

    @property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Classes to detect; by default those of the first scene."""
        return self.scenes.class_names if self.classes is None else tuple(self.classes)


def _at_rows(scene: LabelledScene, rows: NDArray[np.int64] | slice) -> LabelledScene:
    """Select the points at ``rows`` of a scene."""
    return replace(
        scene, **{name: a[rows] for name, a in scene.arrays().items() if name != "boxes"}
    )


def _votes(
    scene: LabelledScene, boxes: NDArray[np.float32], kept: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Rows (N, 3) of ``boxes`` that points vote for, by their objects if these are known."""
    if scene.instance is None or scene.box_instances is None:
        return box_rows(scene.coord, boxes)
    rows = np.full(max(scene.instance.max(), scene.box_instances.max(initial=-1)) + 2, -1, np.int32)
    rows[scene.box_instances[kept]] = np.arange(len(kept))  # the last entry is for id -1
    return np.repeat(rows[scene.instance][:, None], NUM_VOTES, axis=1)
