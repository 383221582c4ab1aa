"""Detection of objects in labelled scenes: what SUN RGB-D, ScanNet and one's own rooms share."""

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

Settings = DetectionSettings | Mapping[str, Any]
"""The second as a file of a network holds them."""


class DetectionBenchmark(Benchmark):
    """Labelled scenes whose boxes are detected.

    A cloud has ``num_points`` of a scene's points, drawn anew each time to train on, and always
    the same to validate and test on. (VoteNet draws anew there too, and its figures differ by half
    a point from one evaluation to the next.)
    """

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
            scenes: gives the folder and the splits.
            num_points: of a cloud; a scene with fewer gives all.
            num_heading_bins: 1 where boxes are aligned with the axes.
            mean_sizes: (C, 3) metres, full; None: those that the converter wrote, or else of the
                boxes of the training scenes.
            settings: how proposals become detections.
            arguments: what else the subclass was given.

        Raises:
            InputError: a number is below 1, or a setting is not known.
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
        self.num_points = num_points
        self.num_heading_bins = num_heading_bins
        self.settings = settings
        self._mean_sizes = mean_sizes
        self._task: Detection | None = None

    @property
    def preparation(self) -> CloudPreparation:
        """Some of the points are drawn."""
        return CloudPreparation(num_points=self.num_points)

    @property
    def task(self) -> Detection:
        """Boxes, coded relative to the mean sizes."""
        if self._task is None:
            coding = BoxCoding(self.mean_sizes(), self.num_heading_bins)
            self._task = Detection(self.class_names, coding, self.settings)
        return self._task

    def saved_arguments(self) -> dict[str, Any]:
        """With the mean sizes: on other data the network's outputs still mean the same."""
        return {**self.arguments, "mean_sizes": self.mean_sizes()}

    def names(self, split: Split) -> list[str]:
        """The scenes of a split."""
        return self.scenes.names(split)

    def read(self, name: str, rng: np.random.Generator | None = None) -> LabelledCloud:
        """Some points of one scene, stood upright, with their boxes."""
        scene = self._scene(name)
        if scene.boxes is None and rng is not None:
            raise InputError(
                f"{self.scenes.root / name} has no boxes to train on; convert it again with what "
                "they are made of, or leave it out (data.scene_list)"
            )
        draw = scan_generator(name) if rng is None else rng
        scene = _at_rows(scene, drawn_rows(len(scene), self.num_points, draw))
        cloud = replace(upright_cloud(scene, name), labels=None)
        if scene.boxes is None:
            return cloud
        boxes, kept = self._own(scene)
        return replace(cloud, boxes=boxes, box_rows=_votes(scene, boxes, kept))

    def boxes(self, name: str) -> NDArray[np.float32]:
        """(K, 8) of a scene, of the benchmark's classes; none where they are not known."""
        scene = self._scene(name)
        return np.empty((0, 8), np.float32) if scene.boxes is None else self._own(scene)[0]

    def mean_sizes(self) -> list[list[float]]:
        """(C, 3) metres, full: what sizes are coded relative to."""
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
        if scene.boxes is not None and scene.up_axis != "z":
            raise InputError(
                f"{self.scenes.root / name}: boxes stand on the xy plane, but its up_axis is "
                f"{scene.up_axis!r}; turn the scene so that z is up"
            )
        return scene

    def _own(self, scene: LabelledScene) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The boxes of the benchmark's classes, with its class rows, and their rows."""
        assert scene.boxes is not None
        missing = [name for name in self.class_names if name not in scene.class_names]
        if missing:
            raise InputError(
                f"{self.scenes.root} has no class {missing[0]!r}, which {type(self).__name__} "
                "detects; convert it with the benchmark's own script, or name other classes"
            )
        own = {scene.class_names.index(name): row for row, name in enumerate(self.class_names)}
        boxes = np.array(scene.boxes)
        rows = np.array([own.get(int(number), -1) for number in boxes[:, 7]], dtype=np.float32)
        boxes[:, 7] = rows
        kept = np.flatnonzero(rows >= 0)
        return boxes[kept], kept


class DetectionScenes(DetectionBenchmark):
    """Boxes of any labelled scenes: one's own, or generated rooms."""

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
            root: folder of labelled scenes.
            classes: of the scenes' classes, those to detect; None for all.
            validation_fraction: see ``LabelledScenes``, as the lists.
            validation_list: of the scenes that validate.
            test_list: of the scenes that test.
            num_points: of a cloud, drawn at random.
            num_heading_bins: of the boxes' headings; 1 where all are aligned with the axes.
            mean_sizes: of the classes, metres; None measures them on the training scenes.
            detection: how proposals become detections, and are scored.
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
        """Those asked for, or all of the first scene."""
        return self.scenes.class_names if self.classes is None else tuple(self.classes)


def _at_rows(scene: LabelledScene, rows: NDArray[np.int64] | slice) -> LabelledScene:
    """The scene with some of its points."""
    return replace(
        scene, **{name: a[rows] for name, a in scene.arrays().items() if name != "boxes"}
    )


def _votes(
    scene: LabelledScene, boxes: NDArray[np.float32], kept: NDArray[np.int64]
) -> NDArray[np.int32]:
    """(N, 3) rows of ``boxes``: by the objects that points belong to where these are known."""
    if scene.instance is None or scene.box_instances is None:
        return box_rows(scene.coord, boxes)
    rows = np.full(max(scene.instance.max(), scene.box_instances.max(initial=-1)) + 2, -1, np.int32)
    rows[scene.box_instances[kept]] = np.arange(len(kept))  # the last entry is that of id -1
    return np.repeat(rows[scene.instance][:, None], NUM_VOTES, axis=1)
