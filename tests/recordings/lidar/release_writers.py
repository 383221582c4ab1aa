"""Writers of generated sweeps in the layouts of nuScenes and KITTI-360."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pointcontrast.geometry import rotation_about
from tests.recordings.makers_sweeps import TR, SimulatedSweep, columns

EGO_FROM_LIDAR = np.eye(4)
EGO_FROM_LIDAR[:3, 3] = 0.94, 0.0, 1.84
FORWARD_FROM_LIDAR = np.eye(4)
"""Axes of the generated LiDAR (x forward) from those of nuScenes' (y forward)."""
FORWARD_FROM_LIDAR[:3, :3] = rotation_about([0, 0, 1], np.pi / 2)
UTM = np.array([458_000.0, 5_428_000.0, 110.0])
"""Where KITTI-360's generated drive is."""


def write_nuscenes(root: Path, scenes: dict[str, list[SimulatedSweep]]) -> Path:
    """Write tables, samples and sweeps: every second sweep is a key frame."""
    tables: dict[str, list[dict]] = {name: [] for name in
        ("scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor")}  # fmt: skip
    tables["sensor"] = [
        {"token": "s0", "channel": "LIDAR_TOP", "modality": "lidar"},
        {"token": "s1", "channel": "CAM_FRONT", "modality": "camera"},
    ]
    mounted = EGO_FROM_LIDAR @ FORWARD_FROM_LIDAR
    for token, sensor in (("c0", "s0"), ("c1", "s1")):
        tables["calibrated_sensor"].append(
            {"token": token, "sensor_token": sensor, "camera_intrinsic": [], **_pose(mounted)}
        )
    for number, (name, sweeps) in enumerate(scenes.items()):
        tables["scene"].append({"token": f"scene{number}", "name": name})
        for i, sweep in enumerate(sweeps):
            time = 1_526_915_243_000_000 + number * 10**8 + i * 50_000
            folder = ("samples", "sweeps")[i % 2]
            path = f"{folder}/LIDAR_TOP/n008__LIDAR_TOP__{time}.pcd.bin"
            (root / folder / "LIDAR_TOP").mkdir(parents=True, exist_ok=True)
            records = columns(sweep, 5)
            records[:, :3] = sweep.points @ FORWARD_FROM_LIDAR[:3, :3]  # the inverse turn, in rows
            records.astype("<f4").tofile(root / path)
            key = f"sample{number}_{i // 2}"
            if i % 2 == 0:
                tables["sample"].append({"token": key, "scene_token": f"scene{number}"})
            tables["ego_pose"].append(
                {
                    "token": f"ego{number}_{i}",
                    "timestamp": time,
                    **_pose(sweep.pose @ np.linalg.inv(EGO_FROM_LIDAR)),
                }
            )
            row = {
                "token": f"data{number}_{i}",
                "sample_token": key,
                "ego_pose_token": f"ego{number}_{i}",
                "calibrated_sensor_token": "c0",
                "timestamp": time,
                "filename": path,
                "is_key_frame": i % 2 == 0,
            }
            camera = {
                "token": f"image{number}_{i}",
                "calibrated_sensor_token": "c1",
                "filename": f"samples/CAM_FRONT/{time}.jpg",
            }
            tables["sample_data"] += [{**row, **camera}, row]
    (root / "v1.0-mini").mkdir(parents=True)
    for name, rows in tables.items():
        (root / "v1.0-mini" / f"{name}.json").write_text(json.dumps(rows[::-1]))
    return root


def _pose(pose: NDArray[np.float64]) -> dict[str, list[float]]:
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    return {"translation": pose[:3, 3].tolist(), "rotation": [w, x, y, z]}


def write_kitti360(root: Path, sweeps: list[SimulatedSweep], without: tuple[int, ...] = ()) -> Path:
    """Write one sequence; the frames ``without`` have no pose. Return the sequence's folder."""
    name = "2013_05_28_drive_0000_sync"
    folder = root / "data_3d_raw" / name
    (folder / "velodyne_points" / "data").mkdir(parents=True)
    (root / "data_poses" / name).mkdir(parents=True)
    (root / "calibration").mkdir()
    imu_from_camera = np.eye(4)  # near KITTI-360's: x forward, y right, z down
    imu_from_camera[:3] = [[0.04, 0, 1, 1.6], [1, 0, -0.04, 0.3], [0, 1, 0, -0.9]]
    u, _, v = np.linalg.svd(imu_from_camera[:3, :3])
    imu_from_camera[:3, :3] = u @ v
    velo_from_camera = np.linalg.inv(TR)
    imu_from_velo = imu_from_camera @ TR
    rows = []
    for i, sweep in enumerate(sweeps):
        columns(sweep, 4).astype("<f4").tofile(
            folder / "velodyne_points" / "data" / f"{i:010d}.bin"
        )
        pose = sweep.pose @ np.linalg.inv(imu_from_velo)
        pose[:3, 3] += UTM
        if i not in without:
            rows.append([i, *pose[:3].ravel()])
    np.savetxt(root / "data_poses" / name / "poses.txt", rows, fmt=["%d"] + ["%.12g"] * 12)
    np.savetxt(root / "calibration" / "calib_cam_to_velo.txt", velo_from_camera[:3].reshape(1, 12))
    text = "".join(
        f"image_0{i}: {' '.join(map(repr, imu_from_camera[:3].ravel().tolist()))}\n"
        for i in range(4)
    )
    (root / "calibration" / "calib_cam_to_pose.txt").write_text(text)
    return folder
