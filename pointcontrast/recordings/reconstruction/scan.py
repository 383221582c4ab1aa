"""A whole scan, with quantities that are used for every view cut from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import point_spacing
from pointcontrast.recordings.reconstruction.simulated_camera import PLACE_SIZE, free_places
from pointcontrast.types import OVERLAP_VOXEL_SIZE, PointCloud
from pointcontrast.voxelize import voxelize

_APART = 1.2 * OVERLAP_VOXEL_SIZE  # points in neighbouring cells, each anywhere in its own
_SAMPLE = 20_000  # points from which the floor is estimated, within a millimetre or two


@dataclass(frozen=True)
class Scan:
    """A reconstructed scene.

    Attributes:
        cloud: N points, world metres; the arrays may be memory-mapped.
        up: (3,) float64 unit vector, the up direction.
        floor_height: 1st percentile of the points along ``up``, metres, as in a view store.
        coarse: (K, 3) float32, one point per occupied cell of 5 cm. Overlaps are measured on this
            grid, so that a number of these points is an area.
    """

    cloud: PointCloud
    up: NDArray[np.float64]
    floor_height: float
    coarse: NDArray[np.float32]

    @classmethod
    def of(cls, cloud: PointCloud, up: NDArray[np.float64]) -> Scan:
        """Make a scan from a cloud, N >= 1 and finite, in one pass over its points.

        Raises:
            InputError: The cloud is too wide for cells of 5 cm; it may have an outlier.
        """
        rows, _ = voxelize(cloud.points, OVERLAP_VOXEL_SIZE)
        some = cloud.points[:: max(1, len(cloud) // _SAMPLE)]
        floor_height = float(np.percentile(some @ up.astype(np.float32), 1))
        return cls(cloud, up, floor_height, np.ascontiguousarray(cloud.points[rows]))

    @property
    def spacing(self) -> float:
        """Distance between neighbouring points of ``cloud`` on a surface, metres."""
        return (
            OVERLAP_VOXEL_SIZE * float(np.sqrt(self._share))
            if self._is_dense
            else self.coarse_spacing
        )

    @cached_property
    def coarse_spacing(self) -> float:
        """Distance between neighbouring points of ``coarse``, metres; at least 6 cm."""
        return _APART if self._is_dense else max(_APART, point_spacing(self.coarse))

    @property
    def _share(self) -> float:
        return len(self.coarse) / len(self.cloud)

    @property
    def _is_dense(self) -> bool:
        """Whether cells hold enough points to tell the spacing, which is then below 4 cm."""
        return self._share < 0.5

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """(P, 3) world metres, places on the floor where a person could stand; P may be 0."""
        return free_places(self.coarse, self.up, self.floor_height)

    @property
    def free_area(self) -> float:
        """Area of the floor where a person could stand, square metres."""
        return len(self.places) * PLACE_SIZE**2


def shared_fraction(in0: NDArray[np.bool_], in1: NDArray[np.bool_]) -> float:
    """Return the overlap of two subsets of ``Scan.coarse``, 0..1.

    As in the authors' definition (``pointcontrast.scenes.overlap``), it is the larger of the two
    matched fractions. Points matched across the borders of the subsets are not counted, so it is
    slightly smaller than the authors' overlap.

    Args:
        in0: (K,) mask of the points in the first view.
        in1: (K,) mask of the points in the second view.
    """
    smaller = min(np.count_nonzero(in0), np.count_nonzero(in1))
    return np.count_nonzero(in0 & in1) / smaller if smaller else 0.0
