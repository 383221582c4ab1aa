"""ShapeNet: classification of shapes, 55 categories, many of them rare."""

from __future__ import annotations

from functools import cached_property

from downstream.benchmarks.shapes import ShapeBenchmark
from downstream.tasks import Classification


class ShapeNet(ShapeBenchmark):
    """Shape sets of ``datasets/shapenet.py shapes``; the class is the shape's category."""

    def __init__(self, root: str, num_points: int = 2048) -> None:
        """Read from ``root``; train on ``num_points`` random points per shape (0: all)."""
        super().__init__(root, num_points)

    @cached_property
    def task(self) -> Classification:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Classification, with extra scores of classes with few training shapes."""
        counts = [0] * len(self.class_names)
        for name in self.names("train"):
            counts[self.category(name)] += 1
        return Classification(self.class_names, counts)
