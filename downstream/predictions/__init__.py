"""Predictions as point clouds, as pictures, and as the files that a benchmark takes."""

from typing import Literal

Format = Literal["ply", "png", "window", "scannet"]
FORMATS: tuple[Format, ...] = ("ply", "png", "window", "scannet")
