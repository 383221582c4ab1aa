"""Shapes from shape sets, of unit size and upright, for ShapeNetPart and ShapeNet."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from downstream.benchmarks.benchmark import Benchmark, Split
from downstream.benchmarks.cloud_preparation import CloudPreparation, unit_sphere
from downstream.benchmarks.labelled_scenes import Z
from downstream.shapes.checks import META
from downstream.shapes.shape_set import (
    Shape,
    ShapeSet,
    find_shape_sets,
    read_shape_set,
)
from downstream.shapes.splits import read_splits
from downstream.types import LabelledCloud
from pointcontrast.data.loading import summary
from pointcontrast.errors import InputError
from pointcontrast.files import read_json
from pointcontrast.geometry import rotation_between
from pointcontrast.labelled_scene import UP_AXES


class ShapeBenchmark(Benchmark):
    """Shapes of the shape sets below ``root``; a cloud is named ``<set>/<id>``."""

    def __init__(self, root: str, num_points: int, **arguments: Any) -> None:
        """Read from ``root``, and train on ``num_points`` random points per shape (0: all)."""
        super().__init__(root=root, num_points=num_points, **arguments)
        if num_points < 0:
            raise InputError(f"num_points {num_points} must not be negative")
        self.root = Path(root)
        self.num_points = num_points

    @property
    def preparation(self) -> CloudPreparation:
        """Scale to the unit sphere; evaluation sees all points."""
        return CloudPreparation(unit_sphere=True)

    @cached_property
    def sets(self) -> dict[str, ShapeSet]:
        """Shape sets by the names of their folders, memory-mapped."""
        return {folder.name: read_shape_set(folder) for folder in find_shape_sets(self.root)}

    @cached_property
    def _places(self) -> dict[str, tuple[str, int]]:
        """Set of each shape and its number there, by the shape's name."""
        return {
            f"{folder}/{shape_id}": (folder, index)
            for folder, shapes in self.sets.items()
            for index, shape_id in enumerate(shapes.ids)
        }

    def __getstate__(self) -> dict[str, Any]:
        """State for worker processes, which map the files themselves."""
        return {k: v for k, v in self.__dict__.items() if k not in ("sets", "_places", "_digests")}

    @cached_property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of the categories."""
        return next(iter(self.sets.values())).category_names

    def names(self, split: Split) -> list[str]:
        """List the shapes of the release's own split."""
        chosen = sorted(read_splits(self.root)[split])
        if not chosen:
            raise InputError(f"{self.root} has no shape in the {split} split")
        return chosen

    @cached_property
    def _digests(self) -> dict[str, str]:
        """Digest of each set's checksums and of its categories and parts."""
        return {
            folder.name: summary([meta["files"], meta["category_names"], meta["part_names"]])
            for folder in find_shape_sets(self.root)
            for meta in [read_json(folder / META)]
        }

    def digest(self, name: str) -> str:
        """Digest of the set that holds a shape."""
        return self._digests[self._place(name)[0]]

    def category(self, name: str) -> int:
        """Category of a shape, a row of the category names."""
        return self.sets[self._place(name)[0]].category

    def _place(self, name: str) -> tuple[str, int]:
        if name not in self._places:
            raise InputError(f"{self.root} holds no shape {name!r}; convert the release again")
        return self._places[name]

    def shape(self, name: str) -> tuple[Shape, ShapeSet]:
        """Read a shape, and the set that it is from.

        Raises:
            InputError: no set holds the shape.
        """
        folder, index = self._place(name)
        return self.sets[folder].shape(index), self.sets[folder]

    def read(self, name: str, rng: np.random.Generator | None = None) -> LabelledCloud:
        """Read one shape, moved to mean 0, scaled to largest norm 1, z up.

        With ``rng``, ``num_points`` random points of it, or all if it has fewer.
        """
        shape, shapes = self.shape(name)
        rotation = rotation_between(UP_AXES[shapes.up_axis], Z).astype(np.float32)
        points = unit_sphere(np.asarray(shape.coord)) @ rotation.T
        cloud = LabelledCloud(
            name=name,
            points=points,
            normals=None if shape.normal is None else np.asarray(shape.normal) @ rotation.T,
            labels=None if shape.part is None else np.asarray(shape.part),
            category=shapes.category,
            floor_height=float(points[:, 2].min()),
        )
        if rng is None or not 0 < self.num_points < len(points):
            return cloud
        return cloud[np.sort(rng.choice(len(points), self.num_points, replace=False))]
