"""Writers of ROS bags with sweeps and poses, by ``rosbags``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

from tests.recordings.makers_sweeps import SimulatedSweep

START = 1_700_000_000.25
BODY_FROM_LIDAR = np.eye(4)
BODY_FROM_LIDAR[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
BODY_FROM_LIDAR[:3, 3] = 0.5, 0.1, 1.2

_KINDS = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


class BagWriter:
    """Writes messages to a bag of one of the kinds "bag", "db3", "mcap"."""

    def __init__(self, path: Path, kind: str) -> None:
        self.kind = kind
        store = Stores.ROS1_NOETIC if kind == "bag" else Stores.ROS2_HUMBLE
        self.types = get_typestore(store)
        if kind == "bag":  # not among the messages that rosbags knows of ROS 1
            transforms = "geometry_msgs/TransformStamped[] transforms"
            self.types.register(get_types_from_msg(transforms, "tf2_msgs/msg/TFMessage"))
        if kind == "bag":
            self._writer: Any = Writer1(path)
        else:
            plugin = StoragePlugin.MCAP if kind == "mcap" else StoragePlugin.SQLITE3
            self._writer = Writer2(path, version=9, storage_plugin=plugin)
        self._connections: dict[str, Any] = {}
        self._writer.open()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def make(self, name: str, /, **values: Any) -> Any:
        return self.types.types[name](**values)

    def write(self, topic: str, message: Any, time: float) -> None:
        kind = message.__msgtype__
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self.types
            )
        ros1 = self.kind == "bag"
        data = (self.types.serialize_ros1 if ros1 else self.types.serialize_cdr)(message, kind)
        self._writer.write(self._connections[topic], round(time * 1e9), data)

    def header(self, time: float, frame: str) -> Any:
        nanoseconds = round(time * 1e9)
        stamp = self.make(
            "builtin_interfaces/msg/Time", sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9
        )
        more = {"seq": 0} if self.kind == "bag" else {}
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id=frame, **more)

    def cloud(self, table: NDArray[Any], time: float, frame: str, pad: int = 0, height: int = 1):
        """A PointCloud2 of a structured array; ``pad`` bytes follow each row."""
        fields = [
            self.make(
                "sensor_msgs/msg/PointField",
                name=name,
                offset=int(table.dtype.fields[name][1]),
                datatype=_KINDS[table.dtype[name].base.str[1:]],
                count=int(np.prod(table.dtype[name].shape, dtype=int)),
            )
            for name in table.dtype.names
        ]
        width = len(table) // height
        rows = [table[i * width : (i + 1) * width].tobytes() + bytes(pad) for i in range(height)]
        return self.make(
            "sensor_msgs/msg/PointCloud2",
            header=self.header(time, frame),
            height=height,
            width=width,
            fields=fields,
            is_bigendian=table.dtype["x"].str[0] == ">",
            point_step=table.dtype.itemsize,
            row_step=width * table.dtype.itemsize + pad,
            data=np.frombuffer(b"".join(rows), np.uint8),
            is_dense=True,
        )

    def pose_message(self, pose: NDArray[np.float64]) -> Any:
        x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
        return self.make(
            "geometry_msgs/msg/Pose",
            position=self.make("geometry_msgs/msg/Point", **_xyz(pose)),
            orientation=self.make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
        )

    def odometry(self, pose: NDArray[np.float64], time: float, body: str = "base_link") -> Any:
        zero = self.make("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
        twist = self.make("geometry_msgs/msg/Twist", linear=zero, angular=zero)
        covariance = np.zeros(36)
        return self.make(
            "nav_msgs/msg/Odometry",
            header=self.header(time, "odom"),
            child_frame_id=body,
            pose=self.make(
                "geometry_msgs/msg/PoseWithCovariance",
                pose=self.pose_message(pose),
                covariance=covariance,
            ),
            twist=self.make(
                "geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=covariance
            ),
        )

    def transform(self, parent: str, child: str, pose: NDArray[np.float64], time: float) -> Any:
        message = self.pose_message(pose)
        each = self.make(
            "geometry_msgs/msg/TransformStamped",
            header=self.header(time, parent),
            child_frame_id=child,
            transform=self.make(
                "geometry_msgs/msg/Transform",
                translation=self.make("geometry_msgs/msg/Vector3", **_xyz(pose)),
                rotation=message.orientation,
            ),
        )
        return self.make("tf2_msgs/msg/TFMessage", transforms=[each])


def _xyz(pose: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip("xyz", map(float, pose[:3, 3]), strict=True))


def table_of(sweep: SimulatedSweep, order: str = "<") -> NDArray[Any]:
    """A structured array as Velodyne's driver writes it: x y z, intensity, ring, time."""
    record = np.dtype(
        {
            "names": ["x", "y", "z", "intensity", "ring", "time"],
            "formats": [f"{order}{kind}" for kind in ("f4", "f4", "f4", "f4", "u2", "f4")],
            "offsets": [0, 4, 8, 16, 20, 24],
            "itemsize": 32,
        }
    )
    table = np.zeros(len(sweep.points), record)
    for axis, column in zip("xyz", sweep.points.T, strict=True):
        table[axis] = column
    table["intensity"], table["ring"] = np.rint(sweep.intensity * 255), sweep.ring
    return table


def write_bag(
    path: Path,
    sweeps: list[SimulatedSweep],
    kind: str = "db3",
    poses: str = "odometry",
    *,
    second_cloud: bool = False,
    offset: float = 0.0,
) -> Path:
    """Write sweeps at 10 Hz and poses of the body at the same times.

    Args:
        path: File (.bag) or folder.
        sweeps: Sweeps with the poses of the LiDAR.
        kind: "bag", "db3" or "mcap".
        poses: "odometry" with /tf_static, "tree" (/tf and /tf_static), or "none".
        second_cloud: Whether there is a second topic of clouds.
        offset: Seconds by which the poses are late.
    """
    with BagWriter(path, kind) as writer:
        mounted = writer.transform("base_link", "velodyne", BODY_FROM_LIDAR, START)
        writer.write("/tf_static", mounted, START)
        for i, sweep in enumerate(sweeps):
            time = START + 0.1 * i
            body = sweep.pose @ np.linalg.inv(BODY_FROM_LIDAR)
            if poses == "odometry":
                writer.write("/odom", writer.odometry(body, time + offset), time)
            elif poses == "tree":
                writer.write(
                    "/tf", writer.transform("odom", "base_link", body, time + offset), time
                )
            writer.write("/points", writer.cloud(table_of(sweep), time, "velodyne"), time + 0.02)
            if second_cloud:
                writer.write(
                    "/filtered", writer.cloud(table_of(sweep)[::4], time, "velodyne"), time
                )
    return path
