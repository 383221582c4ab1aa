"""The ``meta.json`` of a prepared scene: meaning and origin of its arrays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json, sha256, write_json
from pointcontrast.scenes.views import SkippedFrame

FORMAT_VERSION = 2
REDO = "run prepare_pairs again"
_CHECKSUM = "sha256"  # key of the digest of all other keys


@dataclass(frozen=True)
class SceneMeta:
    """Content of ``meta.json``.

    Attributes:
        format_version: Version of the store's format.
        source: Layout and folder of the raw frames, for people.
        storage: Form of the views: "depth" (``pointcontrast.scenes.packed_images``) or "points"
            (``pointcontrast.scenes.packed_points``).
        content: Index of the arrays, described in the module of the storage.
        frame_ids: Names of the V views.
        sensor: "camera", or "lidar" if at least one view is not a camera's.
        poses: (V, 4, 4) float64 ``world_from_camera`` (for a LiDAR, ``world_from_sensor``).
        origin: (3,) float64 metres, whole numbers: what was taken off the world coordinates of the
            recording. Poses and points are relative to it.
        num_points: Stored points of each view.
        up: (3,) float64 unit vector, the scene's up direction in the world frame.
        up_support: Share of normals along ``up``, 0..1 (``pointcontrast.scenes.up_direction``).
        up_how: Origin of ``up``.
        floor_height: 1st percentile of the points along ``up``, metres.
        skipped: Frames that were left out, with reasons.
        problem: Damage of the recording as a whole, though it could be read; or None.
        settings: Settings that the store was made with; other settings make it again.
        files: Name -> {"bytes", "sha256"} of the arrays.
    """

    format_version: int
    source: dict[str, str]
    storage: str
    content: dict[str, Any]
    frame_ids: tuple[str, ...]
    sensor: str
    poses: NDArray[np.float64]
    origin: NDArray[np.float64]
    num_points: tuple[int, ...]
    up: NDArray[np.float64]
    up_support: float
    up_how: str
    floor_height: float
    skipped: tuple[SkippedFrame, ...]
    problem: str | None
    settings: dict[str, Any]
    files: dict[str, dict[str, Any]]

    def camera_pose(self, view: int) -> NDArray[np.float64] | None:
        """Return the (4, 4) ``world_from_camera`` of a view; None for a LiDAR's."""
        return self.poses[view] if self.sensor == "camera" else None


def file_facts(path: Path) -> dict[str, Any]:
    """Return the entry of a file in ``SceneMeta.files``."""
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def read_meta(path: Path) -> SceneMeta:
    """Read and check the ``meta.json`` of the store in folder ``path``.

    Raises:
        InputError: Absent, not JSON, incomplete, edited, or of another format version.
    """
    file = path / "meta.json"
    if not file.exists():
        raise InputError(f"{path} is not a prepared scene: it has no meta.json; {REDO}")
    try:
        value = read_json(file)
    except InputError as error:
        raise InputError(f"{error}: {REDO}") from None
    version = value.get("format_version") if isinstance(value, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{file} is of format version {version}, this program reads {FORMAT_VERSION}; {REDO}"
        )
    if value.pop(_CHECKSUM, None) != _digest(value):
        raise InputError(f"{file} is damaged or was edited (its checksum differs); {REDO}")
    try:
        up = value.pop("up")
        value |= {"up": up["direction"], "up_support": up["support"], "up_how": up["how"]}
        value["skipped"] = tuple(SkippedFrame(**frame) for frame in value["skipped"])
        value.setdefault("origin", [0.0, 0.0, 0.0])  # scenes of earlier releases have none
        for key, shape in (("up", (3,)), ("origin", (3,)), ("poses", (-1, 4, 4))):
            value[key] = np.array(value[key], dtype=np.float64).reshape(shape)
        for key in ("frame_ids", "num_points"):
            value[key] = tuple(value[key])
        if not len(value["frame_ids"]) == len(value["num_points"]) == len(value["poses"]) > 0:
            raise ValueError("frame_ids, num_points and poses differ in length")
        return SceneMeta(**{each.name: value[each.name] for each in fields(SceneMeta)})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file} is incomplete or damaged ({error!r}); {REDO}") from None


def write_meta(path: Path, meta: SceneMeta) -> None:
    """Write the ``meta.json`` of the store in folder ``path``."""
    value = {each.name: getattr(meta, each.name) for each in fields(SceneMeta)}
    value["poses"] = meta.poses.tolist()
    value["origin"] = meta.origin.tolist()
    value["skipped"] = [asdict(frame) for frame in meta.skipped]
    value["up"] = {
        "direction": meta.up.tolist(),
        "support": value.pop("up_support"),
        "how": value.pop("up_how"),
    }
    write_json(path / "meta.json", value | {_CHECKSUM: _digest(value)})


def _digest(value: dict[str, Any]) -> str:
    """Return the SHA-256 of the content, whatever the layout of the text."""
    content = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
