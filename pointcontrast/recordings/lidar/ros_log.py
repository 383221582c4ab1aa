"""Logs of robots: ROS 1 bags, ROS 2 bags (SQLite and MCAP) with PointCloud2 and poses.

Sweeps are messages of sensor_msgs/PointCloud2. Their poses come from nav_msgs/Odometry (the pose of
``child_frame_id`` in ``header.frame_id``), geometry_msgs/PoseStamped or PoseWithCovarianceStamped,
or from the tree of frames (tf2_msgs/TFMessage). Quaternions are x y z w. Poses are taken at the
time of each sweep's header, interpolated; a fixed transform of ``/tf_static`` between the body and
the LiDAR is applied. Bags are read by ``rosbags``, without ROS. Headers of some drivers count from
their own start (``ouster-lidar/ouster-sdk`` issue 48): such sweeps find no pose, and that is said.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
from pointcontrast.optional_packages import require
from pointcontrast.recordings.lidar.frame_tree import FrameTree
from pointcontrast.recordings.lidar.point_cloud_message import read_point_cloud_message
from pointcontrast.recordings.lidar.posed_sweeps import refuse_senseless
from pointcontrast.recordings.lidar.ros_messages import (
    CLOUD,
    header_of,
    pose_of_message,
    read_transforms,
)
from pointcontrast.recordings.lidar.ros_topics import TREE, choose_topics
from pointcontrast.recordings.lidar.sweep_axes import stated_pose
from pointcontrast.recordings.lidar.sweep_check import check_sweeps
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import FrameError, Layout
from pointcontrast.recordings.time_association import poses_at
from pointcontrast.types import Sweep

MAX_GAP = 0.06
"""Largest time between a sweep and a pose, seconds: half a turn at 10 Hz and more."""
INTERPOLATE_WITHIN = 0.5
"""Longest time between two poses across which a sweep between them is interpolated, seconds."""


class RosLog(Layout):
    """A log; derive from it for a file and for a folder."""

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a log; all messages but the points are read.

        Args:
            folder: The bag: a file, or the folder of a ROS 2 bag.
            options: Statements of the user; ``topics`` chooses sweeps and poses.

        Raises:
            InputError: ``rosbags`` is not installed, the bag is damaged, or which topics to take
                is not clear.
        """
        self.name = folder.stem if folder.is_file() else folder.name
        self.folder = folder
        self._options = options or RecordingOptions()
        refuse_senseless(folder, self._options)
        with self._opened() as reader:
            clouds, poses = choose_topics(reader, folder, self._options.topics)
            if self._options.topics is None:
                self.notes += (
                    f"{folder}: sweeps are those of {clouds}, poses those of {poses or TREE}; "
                    "--topics SWEEPS POSES states others",
                )
            self._cloud_topic = clouds
            stamps, frames, self._log_times = self._sweep_headers(reader, clouds)
            self._poses = self._sweep_poses(reader, poses, np.array(stamps), frames[0])
        self.frame_ids = tuple(_name(stamp) for stamp in stamps)
        if len(set(self.frame_ids)) < len(self.frame_ids):
            self.frame_ids = tuple(f"{i:06d}" for i in range(len(stamps)))
        if len(set(frames)) > 1:
            raise InputError(
                f"{folder}: {clouds} has points in several frames "
                f"({', '.join(sorted(set(frames)))}); record each sensor on a topic of its own"
            )

    def pose(self, index: int) -> NDArray[np.float64]:
        """Return the (4, 4) float64 pose of a sweep, world from sensor, with all that is stated.

        Raises:
            FrameError: No pose is near its time, or it is not a rigid transform.
        """
        pose = self._poses[index]
        if np.isnan(pose).any():
            raise FrameError(
                f"{self.folder}: no pose within {MAX_GAP} s of sweep {self.frame_ids[index]}"
            )
        problem = rigid_problem(pose)
        if problem:
            raise FrameError(
                f"{self.folder}: the pose of sweep {self.frame_ids[index]} is not a rigid "
                f"transform: it {problem}"
            )
        return stated_pose(pose, self._options)

    def read(self, index: int) -> Sweep:
        """Read one sweep; see :meth:`~pointcontrast.recordings.sequence.PosedSequence.read`."""
        index = range(len(self))[index]
        pose = self.pose(index)
        time = self._log_times[index]
        where = f"{self.folder}: {self._cloud_topic} at {self.frame_ids[index]}"
        with self._opened() as reader:
            wanted = [c for c in reader.connections if c.topic == self._cloud_topic]
            try:
                found = next(reader.messages(wanted, start=time, stop=time + 1), None)
                message = None if found is None else reader.deserialize(found[2], CLOUD)
            except Exception as error:
                raise FrameError(f"{where} is damaged ({' '.join(str(error).split())})") from None
        if message is None:
            raise FrameError(f"{where} cannot be read again")
        return Sweep(self.frame_ids[index], read_point_cloud_message(message, where), pose)

    def check_conventions(self) -> None:
        """Check that neighbouring sweeps fit together; about twenty are read."""
        check_sweeps(self, self, self._options)

    def files(self) -> list[Path]:
        """Return the files of the bag."""
        if self.folder.is_file():
            return [self.folder]
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    def _opened(self) -> Any:
        """Open the bag, with the messages of ROS 2 where it holds no definitions."""
        highlevel = require("rosbags.highlevel", "rosbags", str(self.folder))
        typesys = require("rosbags.typesys", "rosbags", str(self.folder))
        store = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
        try:
            reader = highlevel.AnyReader([self.folder], default_typestore=store)
            reader.open()
        except Exception as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{self.folder} is damaged or no bag of ROS ({reason})") from None
        return _Closing(reader)

    def _sweep_headers(self, reader: Any, topic: str) -> tuple[list[float], list[str], list[int]]:
        """Return the times, frames and log times of all sweeps, by time."""
        wanted = [c for c in reader.connections if c.topic == topic]
        found = []
        try:
            for _, log_time, raw in reader.messages(wanted):
                stamp, frame = header_of(raw, reader.is2)
                found.append((stamp or log_time * 1e-9, frame, log_time))
        except Exception as error:
            if not found:
                reason = " ".join(str(error).split())
                raise InputError(f"{self.folder} is damaged ({reason}); copy it again") from None
            self.problem = f"{self.folder} is cut short after {len(found)} sweeps"
        if not found:
            raise InputError(f"{self.folder} is damaged: {topic} has no message; copy it again")
        found.sort(key=lambda each: each[0])
        stamps, frames, log_times = zip(*found, strict=True)
        return list(stamps), list(frames), list(log_times)

    def _sweep_poses(
        self, reader: Any, topic: str | None, times: NDArray[np.float64], sensor: str
    ) -> NDArray[np.float64]:
        """Return the poses of the sensor at the times of the sweeps, (N, 4, 4), NaN where none."""
        tree = FrameTree()
        try:
            read_transforms(reader, tree)
            if topic is None:
                root = tree.root(sensor)
                poses = tree.lookup(root, sensor, times, MAX_GAP, INTERPOLATE_WITHIN)
                if poses is None or not tree.moves(root, sensor):
                    raise InputError(
                        f"{self.folder}: the tree of frames (/tf) has no moving frame above "
                        f"{sensor}, the frame of the sweeps; record odometry"
                    )
            else:
                poses = self._by_topic(reader, topic, times, sensor, tree)
        except InputError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{self.folder} is damaged ({reason}); copy it again") from None
        found = np.asarray(np.isfinite(poses).all(axis=(1, 2)))
        if not found.any():
            raise InputError(
                f"{self.folder}: no sweep has a pose within {MAX_GAP} s; do the headers of its "
                "sweeps and poses count from the same time?"
            )
        if not found.all():
            self.notes += (
                f"{self.folder}: {int((~found).sum())} of {len(found)} sweeps have no pose within "
                f"{MAX_GAP} s and are left out",
            )
        return poses

    def _by_topic(
        self, reader: Any, topic: str, times: NDArray[np.float64], sensor: str, tree: FrameTree
    ) -> NDArray[np.float64]:
        stamps: list[float] = []
        poses: list[NDArray[np.float64]] = []
        body = ""
        wanted = [c for c in reader.connections if c.topic == topic]
        for connection, log_time, raw in reader.messages(wanted):
            message = reader.deserialize(raw, connection.msgtype)
            where = f"{self.folder}: {topic}"
            stamp, pose, body = pose_of_message(message, connection.msgtype, where)
            stamps.append(stamp or log_time * 1e-9)
            poses.append(pose)
        at = poses_at(
            times, stamps, np.stack(poses), MAX_GAP, interpolate_within=INTERPOLATE_WITHIN
        )
        if body.lstrip("/") == sensor.lstrip("/"):
            return at.poses
        body_from_sensor = (
            tree.lookup(body, sensor, times, MAX_GAP, INTERPOLATE_WITHIN) if body else None
        )
        if body_from_sensor is None:
            self.notes += (
                f"{self.folder}: no transform is known between {sensor or 'the frame of sweeps'} "
                f"and {body or f'the frame of {topic}'}; the poses are taken for the sensor's own",
            )
            return at.poses
        return at.poses @ body_from_sensor


class RosLogFile(RosLog):
    """One file: ``.bag`` of ROS 1, ``.mcap`` or ``.db3`` of ROS 2."""

    layout = "ros_bag"
    description = "one .bag, .mcap or .db3 of ROS with PointCloud2 and odometry"
    is_file = True

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether the file is a bag, by its suffix."""
        return folder.suffix.lower() in (".bag", ".mcap", ".db3")


class RosLogFolder(RosLog):
    """A ROS 2 bag: a folder with ``metadata.yaml`` and ``.db3`` or ``.mcap`` files."""

    layout = "ros2_bag"
    description = "metadata.yaml with .db3 or .mcap, a bag of ROS 2 with PointCloud2 and odometry"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether the folder is a ROS 2 bag."""
        return (folder / "metadata.yaml").is_file() and any(
            path.suffix in (".db3", ".mcap") for path in folder.iterdir()
        )


class _Closing:
    """Closes a reader at the end of a block."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __enter__(self) -> Any:
        return self._reader

    def __exit__(self, *_: object) -> None:
        self._reader.close()


def _name(stamp: float) -> str:
    return f"{stamp:.6f}"
