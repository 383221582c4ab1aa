"""The topics of a bag of ROS that hold sweeps and their poses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pointcontrast.errors import InputError
from pointcontrast.recordings.lidar.ros_messages import (
    CLOUD,
    ODOMETRY,
    POSE,
    POSE_WITH_COVARIANCE,
    TRANSFORMS,
)

TREE = "/tf"
"""What a user states in place of a topic of poses to take the tree of frames."""


def choose_topics(
    reader: Any, folder: Path, stated: tuple[str, str] | None
) -> tuple[str, str | None]:
    """Choose the topic of the sweeps and that of their poses.

    Args:
        reader: Open ``rosbags.highlevel.AnyReader``.
        folder: The bag, for messages.
        stated: Topics of the sweeps and of the poses as the user states them, or None.

    Returns:
        The two topics; None in place of the second takes the tree of frames.

    Raises:
        InputError: A stated topic is not there, there are no sweeps or no poses, or several.
    """
    counts = {c.topic: (c.msgtype, 0) for c in reader.connections}
    for each in reader.connections:
        counts[each.topic] = (each.msgtype, counts[each.topic][1] + each.msgcount)
    clouds = [topic for topic, (kind, n) in counts.items() if kind == CLOUD and n]
    poses = [
        topic
        for topic, (kind, n) in counts.items()
        if kind in (ODOMETRY, POSE, POSE_WITH_COVARIANCE) and n
    ]
    has_tree = any(kind in TRANSFORMS and n for kind, n in counts.values())
    if stated is not None:
        cloud, pose = stated
        if cloud not in clouds:
            raise InputError(
                f"{folder} has no point clouds on {cloud}; it has them on "
                f"{', '.join(sorted(clouds)) or 'no topic'}"
            )
        if pose not in poses and not (pose == TREE and has_tree):
            known = [*sorted(poses), *([TREE] if has_tree else [])]
            raise InputError(
                f"{folder} has no poses on {pose}; it has them on {', '.join(known) or 'no topic'}"
            )
        return cloud, None if pose == TREE else pose
    if not clouds:
        kinds = sorted({f"{topic} ({kind})" for topic, (kind, _) in counts.items()})
        raise InputError(
            f"{folder} has no topic of sensor_msgs/PointCloud2; it has "
            f"{', '.join(kinds) or 'no message'}"
        )
    if not poses and not has_tree:
        raise InputError(
            f"{folder} has no poses: no topic of nav_msgs/Odometry, "
            "geometry_msgs/PoseStamped or tf2_msgs/TFMessage; record one, or run an odometry "
            "such as KISS-ICP and give its sweeps and poses as a folder"
        )
    if len(clouds) > 1 or len(poses) > 1:
        both = [*sorted(poses), *([TREE] if has_tree else [])]
        raise InputError(
            f"{folder} has point clouds on {', '.join(sorted(clouds))} and poses on "
            f"{', '.join(both)}; choose by --topics SWEEPS POSES"
        )
    return clouds[0], poses[0] if poses else None
