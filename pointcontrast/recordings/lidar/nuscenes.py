"""Sweeps of nuScenes, from its tables to one folder of posed sweeps per scene.

A release (nuScenes, Lyft's, tier4's) holds ``<version>/*.json``, ``samples/`` and ``sweeps/``. Each
row of ``sample_data`` names a file of one sensor and the ``ego_pose`` and ``calibrated_sensor`` at
its time; both hold a translation in metres and a rotation w x y z (nuscenes-devkit,
``docs/schema_nuscenes.md``). World from sensor is the product of the two. Sweeps of a scene follow
each other by ``next``, the scene is that of their ``sample``. A point is five float32: x y z,
intensity 0..255, ring (nuscenes-devkit, ``utils/data_classes.py``); the LiDAR has x right and y
forward.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_folder
from pointcontrast.recordings.quaternions import pose_from_quaternion

_TABLES = ("scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor")


@dataclass(frozen=True)
class SceneSweeps:
    """What was written of a scene.

    Attributes:
        name: Name of the scene.
        num_sweeps: Number of sweeps.
        num_missing: Number of sweeps in the tables whose files are absent.
    """

    name: str
    num_sweeps: int
    num_missing: int


def write_sweep_folders(
    root: Path, output: Path, version: str | None = None, channel: str = "LIDAR_TOP"
) -> list[SceneSweeps]:
    """Write a folder of links to sweeps, with ``poses.txt``, for each scene of a release.

    Args:
        root: Folder of the release.
        output: Folder to write ``<scene>/sweeps/<microseconds>.pcd.bin`` and ``<scene>/poses.txt``
            (12 numbers per row, world from sensor) into. A scene that is there is left as it is.
        version: Folder of the tables, such as "v1.0-mini"; None takes the only one.
        channel: Name of the sensor.

    Returns:
        The scenes of which at least one sweep is there.

    Raises:
        InputError: No tables, several versions, a damaged table, or no sweep of this sensor.
    """
    tables = {name: _read_table(_version(root, version), name) for name in _TABLES}
    sensors = {row["token"] for row in tables["sensor"].values() if row["channel"] == channel}
    if not sensors:
        known = sorted(row["channel"] for row in tables["sensor"].values())
        raise InputError(f"{root} has no sensor {channel}; it has {', '.join(known)}")
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in tables["sample_data"].values():
        calibrated = _row(tables, "calibrated_sensor", row["calibrated_sensor_token"])
        if calibrated["sensor_token"] in sensors:
            scene = _row(tables, "sample", row["sample_token"])["scene_token"]
            rows.setdefault(_row(tables, "scene", scene)["name"], []).append(row)
    written = [
        _write_scene(root, output / name, sorted(each, key=lambda row: row["timestamp"]), tables)
        for name, each in sorted(rows.items())
    ]
    found = [scene for scene in written if scene.num_sweeps]
    if not found:
        raise InputError(
            f"{root}: none of the {sum(map(len, rows.values()))} sweeps of {channel} in its tables "
            "is there; unpack samples/ and sweeps/ next to them"
        )
    return found


def _write_scene(
    root: Path, folder: Path, rows: Sequence[dict[str, Any]], tables: dict[str, dict[str, Any]]
) -> SceneSweeps:
    there = [row for row in rows if (root / row["filename"]).is_file()]
    scene = SceneSweeps(folder.name, len(there), len(rows) - len(there))
    if not there or folder.exists():
        return scene
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as partial:
        (partial / "sweeps").mkdir()
        poses = []
        for row in there:
            source = (root / row["filename"]).resolve()
            link = partial / "sweeps" / f"{row['timestamp']}.pcd.bin"
            try:
                os.symlink(source, link)
            except OSError:  # a file system without links
                shutil.copyfile(source, link)
            pose = np.eye(4)
            for table in ("ego_pose", "calibrated_sensor"):
                step = _row(tables, table, row[f"{table}_token"])
                w, *xyz = step["rotation"]
                where = f"{root}: {table} {step['token']}"
                pose = pose @ pose_from_quaternion(step["translation"], (*xyz, w), where)
            poses.append(pose[:3].ravel())
        np.savetxt(partial / "poses.txt", poses, fmt="%.17g")
    return scene


def _version(root: Path, version: str | None) -> Path:
    if version is not None:
        return root / version
    found = sorted(path.parent for path in root.glob("*/sample_data.json"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(f"{root} has no tables of nuScenes (<version>/sample_data.json)")
    names = ", ".join(path.name for path in found)
    raise InputError(f"{root} has the tables {names}; choose one by --version")


def _read_table(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"{name}.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {row["token"]: row for row in rows}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; unpack the tables again") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is damaged or no table of nuScenes ({reason})") from None


def _row(tables: dict[str, dict[str, Any]], table: str, token: str) -> dict[str, Any]:
    try:
        return tables[table][token]
    except KeyError:
        raise InputError(f"{table}.json has no row {token}; unpack the tables again") from None
