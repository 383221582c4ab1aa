"""Headers, poses and transforms of ROS messages, as ``rosbags`` reads them."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.lidar.frame_tree import FrameTree
from pointcontrast.recordings.quaternions import pose_from_quaternion

CLOUD = "sensor_msgs/msg/PointCloud2"
ODOMETRY = "nav_msgs/msg/Odometry"
POSE = "geometry_msgs/msg/PoseStamped"
POSE_WITH_COVARIANCE = "geometry_msgs/msg/PoseWithCovarianceStamped"
TRANSFORMS = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")  # the second is that of tf, before tf2


def header_of(raw: bytes | memoryview, is_ros2: bool) -> tuple[float, str]:
    """Read the header at the start of a message without its content.

    ROS 1 writes a sequence number, seconds, nanoseconds and the frame; ROS 2 writes four bytes of
    encoding (the second tells the order of bytes), seconds, nanoseconds and the frame, whose length
    counts a closing zero.

    Returns:
        The time in seconds, 0 where the header has none, and the name of the frame.
    """
    data = bytes(raw[:4096])
    order = "<" if not is_ros2 or data[1] & 1 else ">"
    seconds, nanoseconds, length = struct.unpack_from(f"{order}III", data, 4)
    name = data[16 : 16 + length].split(b"\0")[0].decode("utf-8", errors="replace")
    return seconds + nanoseconds * 1e-9, name.lstrip("/")


def pose_of_message(message: Any, kind: str, where: str) -> tuple[float, NDArray[np.float64], str]:
    """Return the time (0 where none), the (4, 4) pose, and the frame whose pose it is.

    Raises:
        InputError: The quaternion is not of unit length.
    """
    pose = message.pose.pose if kind in (ODOMETRY, POSE_WITH_COVARIANCE) else message.pose
    body = message.child_frame_id if kind == ODOMETRY else ""
    matrix = _matrix(pose.position, pose.orientation, where)
    return _seconds(message.header.stamp), matrix, body.lstrip("/")


def read_transforms(reader: Any, tree: FrameTree) -> None:
    """Add all transforms of a bag to a tree; those of a topic ``tf_static`` hold at all times."""
    wanted = [c for c in reader.connections if c.msgtype in TRANSFORMS]
    if not wanted:
        return
    for connection, log_time, raw in reader.messages(wanted):
        is_static = connection.topic.rstrip("/").endswith("tf_static")
        for each in reader.deserialize(raw, connection.msgtype).transforms:
            where = f"{connection.topic}: {each.child_frame_id}"
            moved = _matrix(each.transform.translation, each.transform.rotation, where)
            time = _seconds(each.header.stamp) or log_time * 1e-9
            parent = each.header.frame_id
            tree.add(parent, each.child_frame_id, moved, None if is_static else time)


def _matrix(place: Any, q: Any, where: str) -> NDArray[np.float64]:
    return pose_from_quaternion((place.x, place.y, place.z), (q.x, q.y, q.z, q.w), where)


def _seconds(stamp: Any) -> float:
    return stamp.sec + stamp.nanosec * 1e-9
