"""Two overlapping random crops of one scan.

Crops are balls. Under the free rotations of the released recipe, a ball looks the same in every
orientation, whereas the faces of a box or the ends of a cylinder would show the network which way
is up and where the scan was cut. The radius is in metres, so that a crop holds about as much as a
depth frame in rooms of any size. In other methods the crop grows with the scan: Masked Scene
Contrast keeps the 60 % of a scan's points that are nearest to a random one (Pointcept
``SphereCrop``, ``sample_rate=0.6``), DepthContrast a box of 50 to 100 % of each side
(``randomcuboid``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.reconstruction.scan import shared_fraction


@dataclass(frozen=True)
class Ball:
    """All points within ``radius`` metres of ``center``, (3,) world metres."""

    center: NDArray[np.float32]
    radius: float

    def contains(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return the (N,) mask of the points (N, 3) in the ball."""
        squared = np.zeros(len(points), np.float32)
        for axis in range(3):  # several times faster than summing over rows of three
            along = points[:, axis] - self.center[axis]
            squared += np.multiply(along, along, out=along)
        return squared <= np.float32(self.radius) ** 2


def draw_balls(
    coarse: NDArray[np.float32],
    radius: tuple[float, float],
    min_overlap: float,
    max_attempts: int,
    rng: np.random.Generator,
) -> tuple[Ball, Ball]:
    """Draw two balls, centred on points of a scan, that overlap enough.

    The first is anywhere. The second is drawn near enough for the two to touch; while they overlap
    too little, it is drawn again from a smaller distance. The overlaps spread over ``min_overlap``
    to 1, and the draw always ends.

    Args:
        coarse: (K, 3) points of the scan (``Scan.coarse``).
        radius: Smallest and largest radius, metres; the radius of a ball is uniform between them.
        min_overlap: Smallest overlap, as
            :func:`pointcontrast.recordings.reconstruction.scan.shared_fraction` measures it.
        max_attempts: Number of draws, after which the second ball takes the centre of the first.
        rng: Source of randomness.
    """
    first = Ball(coarse[rng.integers(len(coarse))], rng.uniform(*radius))
    in_first = first.contains(coarse)
    size = rng.uniform(*radius)
    for attempt in range(max_attempts):
        reach = (first.radius + size) * (1 - attempt / max_attempts)
        near = np.flatnonzero(Ball(first.center, reach).contains(coarse))
        second = Ball(coarse[rng.choice(near)], size)
        if shared_fraction(in_first, second.contains(coarse)) >= min_overlap:
            return first, second
    return first, Ball(first.center, size)
