"""Semantic segmentation of labelled scenes, for S3DIS, ScanNet and other scenes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.benchmarks.benchmark import Benchmark, Split
from downstream.benchmarks.cloud_preparation import floor_height
from downstream.benchmarks.scene_record import SceneRecord, read_scene_record
from downstream.label_lists.scenes import read_scene_list
from downstream.tasks import Segmentation
from downstream.types import LabelledCloud
from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_between
from pointcontrast.labelled_scene import LabelledScene, find_labelled_scenes, read_labelled_scene
from pointcontrast.labelled_scene_checks import check_ranges

Z = np.array([0.0, 0.0, 1.0])


class SceneBenchmark(Benchmark):
    """Labelled scenes in folders below ``root``; a cloud is named by its folder's path."""

    def __init__(self, root: str, **arguments: Any) -> None:
        """Read from ``root``, a folder made by a script of ``datasets/``."""
        super().__init__(root=root, **arguments)
        self.root = Path(root)
        self._records: dict[str, SceneRecord] = {}

    @property
    def task(self) -> Segmentation:
        """Segmentation into the benchmark's classes."""
        return Segmentation(self.class_names)

    @abstractmethod
    def names(self, split: Split) -> list[str]:
        """See :class:`Benchmark`."""

    def read(self, name: str, rng: np.random.Generator | None = None) -> LabelledCloud:
        """Read one scene, rotated upright."""
        folder = self.root / name
        scene = read_labelled_scene(folder, check_values=False)
        # checked at every read: what comes after fails on them without a name
        arrays: dict[str, NDArray[Any]] = {"coord": scene.coord}
        if scene.semantic is not None:
            self.check_classes(scene.class_names, folder)
            arrays["semantic"] = scene.semantic
        check_ranges(arrays, len(self.class_names), lambda array: str(folder / f"{array}.npy"))
        return upright_cloud(scene, name)

    def check_classes(self, class_names: tuple[str, ...], folder: Path) -> None:
        """Check that a scene has the classes of the benchmark.

        Raises:
            InputError: the scene has other classes, or the same in another order.
        """
        if class_names == self.class_names:
            return
        found, own = ", ".join(class_names), ", ".join(self.class_names)
        if sorted(class_names) == sorted(self.class_names):
            raise InputError(
                f"{folder} lists its classes in another order ({found}) than {self.classes_from} "
                f"({own}); labels are rows of that list: {self.remedy}"
            )
        raise InputError(
            f"{folder} has {len(class_names)} classes ({found}), {self.classes_from} has "
            f"{len(self.class_names)} ({own}); {self.remedy}"
        )

    @property
    def classes_from(self) -> str:
        """Where the classes are from, for messages."""
        return type(self).__name__

    remedy = "convert it with the benchmark's own script"
    """What to do about a scene with other classes."""

    def record(self, name: str) -> SceneRecord:
        """Record of a scene, read once."""
        if name not in self._records:
            self._records[name] = read_scene_record(self.root / name)
        return self._records[name]

    def has_truth(self, name: str) -> bool:
        """Whether a scene has labels; those that have must have the benchmark's classes."""
        record = self.record(name)
        if "semantic" not in record.arrays:
            return False
        self.check_classes(record.class_names, self.root / name)
        return True

    def any_truth(self, names: Sequence[str]) -> bool:
        """Whether a point of these scenes has a label; stops at the first."""
        for name in names:
            labels = read_labelled_scene(self.root / name, check_values=False).semantic
            if labels is not None and labels.max() >= 0:
                return True
        return False

    def digest(self, name: str) -> str:
        """Digest of a scene's checksums."""
        return self.record(name).digest


class LabelledScenes(SceneBenchmark):
    """Any labelled scenes with one list of classes, such as generated rooms."""

    def __init__(
        self,
        root: str,
        validation_fraction: float = 0.2,
        validation_list: str | None = None,
        test_list: str | None = None,
    ) -> None:
        """Split the scenes.

        Args:
            root: Folder of labelled scenes.
            validation_fraction: Fraction of the scenes to validate on, at least one: the last in
                the order of their names. The others, at least one, are trained on.
            validation_list: Scene list to validate on, in place of the fraction.
            test_list: Scene list to test on; None for the validation scenes.
        """
        super().__init__(
            root,
            validation_fraction=validation_fraction,
            validation_list=validation_list,
            test_list=test_list,
        )
        if not 0 < validation_fraction < 1:
            raise InputError(f"validation_fraction {validation_fraction} must be between 0 and 1")
        self.array = "semantic"
        self.validation_fraction = validation_fraction
        self.validation_list = validation_list
        self.test_list = test_list
        self._folders: list[str] | None = None
        self._given_classes: tuple[str, ...] = ()

    @cached_property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Classes of the first scene that names some, which is read once."""
        first = self._first_named()
        if first is None and self._given_classes:
            return self._given_classes
        if first is None:
            raise InputError(
                f"none of the {len(self._all())} scenes in {self.root} has class names; label "
                "the scenes first"
            )
        return self.record(first).class_names

    @property
    def classes_from(self) -> str:
        """The scene that the classes are from."""
        first = self._first_named()
        return "the network" if first is None else f"{self.root / first}"

    remedy = "write all scenes of a folder with one class_names, and labels that are its rows"

    def take_classes(self, class_names: Sequence[str]) -> None:
        """Take the classes of a network where no scene names any."""
        if self._first_named() is None:
            self._given_classes = tuple(class_names)

    def names(self, split: Split) -> list[str]:
        """List the scenes of a split.

        Scenes without ground truth cannot be trained or scored on: the fraction is one of those
        that have it, and the others are only in the test split, to be predicted.
        """
        everything = self._all()
        test = self._listed(self.test_list)
        validation = self._listed(self.validation_list)
        rest = [name for name in everything if name not in test]
        known = [name for name in rest if self.array in self.record(name).arrays]
        if not known:
            known, unknown = rest, set(rest)
        else:
            unknown = set(rest) - set(known)
        if not validation:
            count = max(1, min(round(self.validation_fraction * len(known)), len(known) - 1))
            validation = set(known[len(known) - count :])
        chosen = {
            "validation": validation,
            "test": test or validation | unknown,
            "train": set(rest) - validation,
        }[split]
        if not chosen:
            raise InputError(f"{self.root} leaves no scene for {split}; it has {len(everything)}")
        return sorted(chosen)

    def _first_named(self) -> str | None:
        return next((name for name in self._all() if self.record(name).class_names), None)

    def _all(self) -> list[str]:
        if self._folders is None:
            folders = find_labelled_scenes(self.root)
            self._folders = sorted(folder.relative_to(self.root).as_posix() for folder in folders)
        return self._folders

    def _listed(self, path: str | None) -> set[str]:
        if path is None:
            return set()
        listed = read_scene_list(Path(path))
        strange = [name for name in listed if name not in set(self._all())]
        if strange:
            raise InputError(f"{path} lists {strange[0]!r}, which {self.root} does not hold")
        return set(listed)


def upright_cloud(scene: LabelledScene, name: str) -> LabelledCloud:
    """Convert a labelled scene to a cloud, rotated so that z is up."""
    points, normals = np.asarray(scene.coord), scene.normal
    source_from_cloud = np.eye(4)
    source_from_cloud[:3, 3] = scene.origin
    if scene.up_axis != "z":
        upright = rotation_between(scene.up, Z)
        source_from_cloud[:3, :3] = upright.T
        rotation = upright.astype(np.float32)
        points = points @ rotation.T
        normals = None if normals is None else normals @ rotation.T
    return LabelledCloud(
        name=name,
        points=points,
        colors=None if scene.color is None else scene.color.astype(np.float32),
        normals=None if normals is None else np.asarray(normals),
        labels=None if scene.semantic is None else np.asarray(scene.semantic),
        floor_height=floor_height(points),
        source_from_cloud=None if (source_from_cloud == np.eye(4)).all() else source_from_cloud,
    )


def existing_folders(root: Path, names: list[str], what: str) -> list[str]:
    """Select the ``names`` that are folders of labelled scenes below ``root``.

    Raises:
        InputError: ``root`` is no folder, or holds none of them.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; make it with the dataset's script in datasets/")
    found = [name for name in names if (root / name / "meta.json").is_file()]
    if not found:
        raise InputError(f"{root} holds none of the {len(names)} {what}, such as {names[0]}")
    return found
