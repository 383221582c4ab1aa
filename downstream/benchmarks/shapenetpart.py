"""ShapeNetPart: 16 categories of shapes, 50 parts; the category of a shape is given."""

from __future__ import annotations

from functools import cached_property

from downstream.benchmarks.shapes import ShapeBenchmark
from downstream.releases.shapenetpart.categories import PARTS_OF_CATEGORY
from downstream.tasks import PartSegmentation


class ShapeNetPart(ShapeBenchmark):
    """Shape sets of ``datasets/shapenetpart.py shapes``.

    Training takes 2048 points of a shape (as the paper), evaluation all that it has.
    """

    def __init__(self, root: str, num_points: int = 2048) -> None:
        """Read from ``root``; train on ``num_points`` points of a shape (0: all)."""
        super().__init__(root, num_points)

    @cached_property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The 50 parts."""
        return next(iter(self.sets.values())).part_names

    @cached_property
    def task(self) -> PartSegmentation:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A part for every voxel."""
        names = next(iter(self.sets.values())).category_names
        return PartSegmentation(PARTS_OF_CATEGORY, names)
