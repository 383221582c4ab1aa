"""ShapeNetPart: segmentation into parts; a shape's category is given.

The benchmark has 50 parts of 16 categories; own data in its layout has others.
"""

from __future__ import annotations

from functools import cached_property

from downstream.benchmarks.shapes import ShapeBenchmark
from downstream.releases.shapenetpart.categories import part_rows_of
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
        """Names of the parts."""
        return next(iter(self.sets.values())).part_names

    def has_truth(self, name: str) -> bool:
        """Whether the set that holds a shape has the parts of its points."""
        return self.sets[self._place(name)[0]].part is not None

    @cached_property
    def task(self) -> PartSegmentation:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Segmentation into parts."""
        names = next(iter(self.sets.values())).category_names
        return PartSegmentation(part_rows_of(names, self.class_names), names)
