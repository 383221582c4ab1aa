"""Semantic segmentation of labelled scenes, for S3DIS, ScanNet and other scenes."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from downstream.benchmarks.benchmark import Benchmark, Split
from downstream.benchmarks.cloud_preparation import floor_height
from downstream.label_lists.scenes import read_scene_list
from downstream.tasks import Segmentation
from downstream.types import LabelledCloud
from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_between
from pointcontrast.labelled_scene import LabelledScene, find_labelled_scenes, read_labelled_scene

Z = np.array([0.0, 0.0, 1.0])


class SceneBenchmark(Benchmark):
    """Labelled scenes in folders below ``root``; a cloud is named by its folder's path."""

    def __init__(self, root: str, **arguments: Any) -> None:
        """Read from ``root``, a folder made by a script of ``datasets/``."""
        super().__init__(root=root, **arguments)
        self.root = Path(root)

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
        self.check_classes(scene, folder)
        return upright_cloud(scene, name)

    def check_classes(self, scene: LabelledScene, folder: Path) -> None:
        """Check that the scene has the classes of the benchmark.

        Raises:
            InputError: the scene has other classes.
        """
        if scene.semantic is not None and scene.class_names != self.class_names:
            raise InputError(
                f"{folder} has {len(scene.class_names)} classes ({', '.join(scene.class_names)}), "
                f"{type(self).__name__} has {len(self.class_names)} "
                f"({', '.join(self.class_names)}); convert it with the benchmark's own script"
            )


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
        self.validation_fraction = validation_fraction
        self.validation_list = validation_list
        self.test_list = test_list
        self._folders: list[str] | None = None

    @cached_property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Classes of the first scene, which is read once."""
        names = read_labelled_scene(self.root / self._all()[0], check_values=False).class_names
        if not names:
            raise InputError(
                f"{self.root / self._all()[0]} has no class names; label the scenes first"
            )
        return names

    def names(self, split: Split) -> list[str]:
        """List the scenes of a split."""
        everything = self._all()
        test = self._listed(self.test_list)
        validation = self._listed(self.validation_list)
        if not validation:
            rest = [name for name in everything if name not in test]
            count = max(1, min(round(self.validation_fraction * len(rest)), len(rest) - 1))
            validation = set(rest[len(rest) - count :])
        chosen = {
            "validation": validation,
            "test": test or validation,
            "train": set(everything) - validation - test,
        }[split]
        if not chosen:
            raise InputError(f"{self.root} leaves no scene for {split}; it has {len(everything)}")
        return sorted(chosen)

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
