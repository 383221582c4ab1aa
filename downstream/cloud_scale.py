"""Whether the size of the voxels fits a cloud: coordinates in another unit are told by it."""

from __future__ import annotations

import numpy as np

from downstream.types import LabelledCloud
from pointcontrast.geometry import point_spacing

_FEW_POINTS = 1000
_SAMPLE = 20_000
_FARTHEST_APART = 10.0  # voxels between neighbouring points
_FEW_VOXELS = 4.0  # along the longest side of a cloud


def doubt_of_scale(cloud: LabelledCloud, voxel_size: float) -> str | None:
    """Say why a cloud is probably in another unit than its voxels.

    Args:
        cloud: Cloud, with points in metres.
        voxel_size: Edge of a voxel, metres.

    Returns:
        A sentence for the user; None where nothing is strange, or for fewer than 1000 points.
    """
    points = cloud.points
    if len(points) < _FEW_POINTS:
        return None
    longest = float(np.ptp(points, axis=0).max())
    if longest < _FEW_VOXELS * voxel_size:
        return (
            f"{cloud.name} is {longest:.3g} m across, {longest / voxel_size:.2g} voxels of "
            f"{voxel_size:g} m: are its coordinates in metres, as they must be?"
        )
    if len(points) > _SAMPLE:  # the points around one of them: as close as in the whole cloud
        away = np.square(points - points[len(points) // 2]).sum(axis=1)
        points = points[np.argpartition(away, _SAMPLE)[:_SAMPLE]]
    spacing = point_spacing(points)
    if spacing > _FARTHEST_APART * voxel_size:
        return (
            f"{cloud.name} has points {spacing:.2g} m apart, {spacing / voxel_size:.0f} voxels of "
            f"{voxel_size:g} m: nearly every point is a voxel of its own. Are its coordinates in "
            "metres, as they must be?"
        )
    return None
