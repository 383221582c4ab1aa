"""The tree of frames of reference that robots publish (tf2), looked up at many times at once.

A message of ``/tf`` or ``/tf_static`` states the pose of a child frame in its parent frame:
``parent_from_child``, with a quaternion x y z w (docs.ros.org, ``geometry_msgs/TransformStamped``).
Each frame has one parent. Moving frames are interpolated; static ones hold at all times.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.time_association import poses_at


@dataclass
class _Edge:
    parent: str
    is_static: bool
    times: list[float] = field(default_factory=list)
    poses: list[NDArray[np.float64]] = field(default_factory=list)


class FrameTree:
    """Frames by name, without a leading slash."""

    def __init__(self) -> None:
        """Start without any frame."""
        self._edges: dict[str, _Edge] = {}

    def add(self, parent: str, child: str, pose: NDArray[np.float64], time: float | None) -> None:
        """Note the (4, 4) ``parent_from_child`` at a time in seconds; None holds at all times."""
        parent, child = parent.lstrip("/"), child.lstrip("/")
        edge = self._edges.get(child)
        if edge is None or edge.parent != parent:
            if edge is not None and len(edge.times) > 1:
                return  # a second parent: the first counts
            edge = self._edges[child] = _Edge(parent, time is None)
        edge.times.append(0.0 if time is None else time)
        edge.poses.append(pose)

    def root(self, frame: str) -> str:
        """Return the frame at the root of a frame's tree; itself if it has no parent."""
        return self._line(frame)[-1]

    def moves(self, ancestor: str, frame: str) -> bool:
        """Whether a frame moves against one of its ancestors."""
        line = self._line(frame)
        below = line[: line.index(ancestor.lstrip("/"))]
        return any(not self._edges[name].is_static for name in below)

    def lookup(
        self, target: str, source: str, times: NDArray[np.float64], max_gap: float, within: float
    ) -> NDArray[np.float64] | None:
        """Return ``target_from_source`` at given times.

        Args:
            target: Name of a frame.
            source: Name of a frame.
            times: (N,) seconds.
            max_gap: Largest distance in time to the nearest pose where there is no interpolation.
            within: Longest time between two poses across which to interpolate.

        Returns:
            (N, 4, 4) float64, NaN where a frame is not known at that time; None where the frames
            are not connected.
        """
        up, down = self._line(source), self._line(target)
        common = next((name for name in up if name in down), None)
        if common is None:
            return None
        from_source = self._climb(up[: up.index(common)], times, max_gap, within)
        from_target = self._climb(down[: down.index(common)], times, max_gap, within)
        result = np.full_like(from_source, np.nan)
        known = np.isfinite(from_source).all((1, 2)) & np.isfinite(from_target).all((1, 2))
        result[known] = np.linalg.solve(from_target[known], from_source[known])
        return result

    def _line(self, frame: str) -> list[str]:
        """A frame and its ancestors."""
        line = [frame.lstrip("/")]
        while line[-1] in self._edges and self._edges[line[-1]].parent not in line:
            line.append(self._edges[line[-1]].parent)
        return line

    def _climb(
        self, frames: list[str], times: NDArray[np.float64], max_gap: float, within: float
    ) -> NDArray[np.float64]:
        """The product of the edges above some frames, (N, 4, 4)."""
        pose = np.broadcast_to(np.eye(4), (len(times), 4, 4)).copy()
        for name in frames:
            edge = self._edges[name]
            if edge.is_static:
                step = np.broadcast_to(edge.poses[-1], pose.shape)
            else:
                stack = np.stack(edge.poses)
                step = poses_at(times, edge.times, stack, max_gap, interpolate_within=within).poses
            pose = step @ pose
        return pose
