"""Point clouds to draw, and their PLY files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.origins import put_back
from pointcontrast.pictures.point_ply import write_point_ply


@dataclass(frozen=True)
class ColoredPoints:
    """A point cloud to draw, one panel of a picture.

    Attributes:
        points: World coordinates (N, 3), float32, metres.
        colors: Colours (N, 3), uint8, RGB.
        caption: Text above the panel.
        segments: Ends of lines such as matches and edges of boxes (L, 2, 3), float32, metres.
        segment_colors: Colours of the lines (L, 3), uint8, RGB; given together with ``segments``.
    """

    points: NDArray[np.floating]
    colors: NDArray[np.uint8]
    caption: str = ""
    segments: NDArray[np.floating] | None = None
    segment_colors: NDArray[np.uint8] | None = None

    def __getitem__(self, rows: NDArray) -> ColoredPoints:
        """Select points by indices or a mask, with the same caption and segments."""
        return ColoredPoints(
            self.points[rows], self.colors[rows], self.caption, self.segments, self.segment_colors
        )


def write_ply(path: Path, cloud: ColoredPoints, origin: ArrayLike = (0.0, 0.0, 0.0)) -> None:
    """Write a cloud as binary PLY, its segments as coloured edges.

    Args:
        path: File.
        cloud: Points and segments.
        origin: (3,) metres, added to the points and the ends of the segments.
    """
    off = np.asarray(origin, dtype=np.float64)
    if cloud.segments is None or cloud.segment_colors is None:
        write_point_ply(path, put_back(cloud.points, off), cloud.colors)
        return
    ends = cloud.segments.reshape(-1, 3)
    write_point_ply(
        path,
        put_back(np.concatenate([cloud.points, ends]), off),
        np.concatenate([cloud.colors, np.repeat(cloud.segment_colors, 2, axis=0)]),
        edges=len(cloud.points) + np.arange(len(ends)).reshape(-1, 2),
        edge_colors=cloud.segment_colors,
    )
