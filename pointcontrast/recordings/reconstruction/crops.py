"""Two overlapping pieces of one scan, cut at random.

Pieces are balls. Under the free rotations of the released recipe a ball looks the same however
it is turned, where the faces of a box or the ends of a cylinder would tell the network which way
is up and where the scan was cut. The radius is in metres, so that a piece holds about what a
depth frame does in rooms of any size. Others: Masked Scene Contrast keeps the 60 % of a scan's
points that are nearest to a random one (Pointcept ``SphereCrop``, ``sample_rate=0.6``),
DepthContrast a box of 50 to 100 % of each side (``randomcuboid``): pieces that grow with the scan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.reconstruction.scan import shared_fraction


@dataclass(frozen=True)
class Ball:
    """All that is within ``radius`` metres of ``center`` (3,), world metres."""

    center: NDArray[np.float32]
    radius: float

    def contains(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of the points (N, 3) lie in the ball, (N,)."""
        squared = np.zeros(len(points), np.float32)
        for axis in range(3):  # several times as fast as summing over rows of three
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
    """Two balls about points of a scan that share enough of it.

    The first is anywhere; the second is drawn near enough for the two to touch and drawn again
    while they share too little, from closer by each time: so the overlaps spread over
    ``min_overlap`` to 1, and the draw always ends.

    Args:
        coarse: (K, 3) of the scan (``Scan.coarse``).
        radius: smallest and largest, metres; each ball's is uniform between them.
        min_overlap: by :func:`pointcontrast.recordings.reconstruction.scan.shared_fraction`.
        max_attempts: after so many the second ball takes the centre of the first.
        rng: the source of randomness.
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
