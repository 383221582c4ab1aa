"""ShapeNetPart: segmentation into 50 parts, 16 categories; a shape's category is given."""

from __future__ import annotations

from functools import cached_property

from downstream.benchmarks.shapes import ShapeBenchmark
from downstream.releases.shapenetpart.categories import PARTS_OF_CATEGORY
from downstream.tasks import PartSegmentation


class ShapeNetPart(ShapeBenchmark):
    """Shape sets of ``datasets/shapenetpart.py shapes``.

    Training sees 2048 points per shape, as the paper; evaluation sees all.
    """

    def __init__(self, root: str, num_points: int = 2048) -> None:
        """Read from ``root``; train on ``num_points`` random points per shape (0: all)."""
        super().__init__(root, num_points)

    @cached_property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of the 50 parts."""
        return next(iter(self.sets.values())).part_names

    @cached_property
    def task(self) -> PartSegmentation:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Segmentation into parts."""
        names = next(iter(self.sets.values())).category_names
        return PartSegmentation(PARTS_OF_CATEGORY, names)
