"""Point clouds ready to be drawn, and their PLY files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from pointcontrast.files import atomic_file


@dataclass(frozen=True)
class ColoredPoints:
    """A point cloud ready to be drawn, one panel of a picture.

    Attributes:
        points: (N, 3) float32 world metres.
        colors: (N, 3) uint8 RGB.
        caption: the line written above the panel.
        segments: (L, 2, 3) float32 world metres, the ends of lines (matches, edges of boxes).
        segment_colors: (L, 3) uint8 RGB; given together with ``segments``.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    caption: str = ""
    segments: NDArray[np.float32] | None = None
    segment_colors: NDArray[np.uint8] | None = None

    def __getitem__(self, rows: NDArray) -> ColoredPoints:
        """The points at ``rows`` (indices or a mask), with the same caption and segments."""
        return ColoredPoints(
            self.points[rows], self.colors[rows], self.caption, self.segments, self.segment_colors
        )


def write_ply(path: Path, cloud: ColoredPoints) -> None:
    """Write a cloud as binary PLY: coloured vertices, and coloured edges for its segments."""
    points, colors = cloud.points, cloud.colors
    elements = []
    if cloud.segments is not None and cloud.segment_colors is not None:
        edges = np.empty(
            len(cloud.segments), [("vertex1", "i4"), ("vertex2", "i4"), *_ply_color_fields()]
        )
        edges["vertex1"] = len(points) + 2 * np.arange(len(edges))
        edges["vertex2"] = edges["vertex1"] + 1
        for channel, name in enumerate(("red", "green", "blue")):
            edges[name] = cloud.segment_colors[:, channel]
        elements.append(PlyElement.describe(edges, "edge"))
        points = np.concatenate([points, cloud.segments.reshape(-1, 3)])
        colors = np.concatenate([colors, np.repeat(cloud.segment_colors, 2, axis=0)])
    vertices = np.empty(len(points), [(axis, "f4") for axis in "xyz"] + _ply_color_fields())
    for column, axis in enumerate("xyz"):
        vertices[axis] = points[:, column]
    for channel, name in enumerate(("red", "green", "blue")):
        vertices[name] = colors[:, channel]
    with atomic_file(path) as partial:
        PlyData([PlyElement.describe(vertices, "vertex"), *elements]).write(str(partial))


def _ply_color_fields() -> list[tuple[str, str]]:
    return [(name, "u1") for name in ("red", "green", "blue")]
