"""Synthetic rooms on disk: posed RGB-D folders and labelled scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_folder, read_json, write_json
from pointcontrast.labelled_scene import FORMAT_VERSION as SCENE_FORMAT_VERSION
from pointcontrast.labelled_scene import LabelledScene, write_labelled_scene
from pointcontrast.synthetic.camera_walk import walk
from pointcontrast.synthetic.pieces import CLASS_NAMES
from pointcontrast.synthetic.render import LabelledFrame, Renderer, SurfacePoints, pinhole
from pointcontrast.synthetic.rooms import Room, make_room

FORMAT_VERSION = 1
"""Raised with every change of the rooms of a seed; folders of an older version are replaced."""


@dataclass(frozen=True)
class RoomSettings:
    """Settings that determine every byte of a room, together with its number.

    Attributes:
        seed: Seed of the set of rooms, at least 0.
        num_frames: Frames per room.
        width: Width of an image, pixels.
        height: Height of an image, pixels.
        field_of_view: Horizontal field of view, degrees.
        sensor_noise: Whether depth and colour have the noise of a real sensor.
        labels: Whether label and instance images are written, too.
        density: Points per square metre of a labelled scene; 2500 is one per 2 cm square.
    """

    seed: int = 0
    num_frames: int = 40
    width: int = 320
    height: int = 240
    field_of_view: float = 60.0
    sensor_noise: bool = True
    labels: bool = True
    density: float = 2500.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: A value is out of range.
        """
        if self.seed < 0:
            raise InputError(f"seed must be at least 0, got {self.seed}")
        if self.num_frames < 1:
            raise InputError(f"num_frames must be at least 1, got {self.num_frames}")
        if not self.density > 0:
            raise InputError(f"density must be above 0, got {self.density}")
        pinhole(self.width, self.height, self.field_of_view)


def write_rooms(
    output: Path,
    num_rooms: int,
    num_frames: int = 40,
    seed: int = 0,
    *,
    first_room: int = 0,
    labelled_output: Path | None = None,
    width: int = 320,
    height: int = 240,
    field_of_view: float = 60.0,
    sensor_noise: bool = True,
    labels: bool = True,
    density: float = 2500.0,
    progress: bool = True,
) -> list[Path]:
    """Write rooms as posed RGB-D folders, except those that exist with the same settings.

    A room is a pure function of ``seed`` and its number, so a set can be made in parts.

    Args:
        output: Folder in which rooms become ``room_0000`` and so on (:func:`write_rgbd_folder`).
        num_rooms: Number of rooms.
        num_frames: Frames per room.
        seed: Seed of the set of rooms.
        first_room: Number of the first room.
        labelled_output: Folder for labelled scenes of the same names
            (``pointcontrast.labelled_scene``); None writes none.
        width: Width of an image, pixels.
        height: Height of an image, pixels.
        field_of_view: Horizontal field of view, degrees.
        sensor_noise: Whether depth and colour have the noise of a real sensor.
        labels: Whether label and instance images are written, too.
        density: Points per square metre of a labelled scene.
        progress: Whether to show a progress bar.

    Returns:
        The RGB-D folders, in order.

    Raises:
        InputError: A setting is out of range.
    """
    if num_rooms < 1 or first_room < 0:
        raise InputError(
            f"num_rooms must be at least 1 and first_room at least 0, got {num_rooms} and "
            f"{first_room}"
        )
    settings = RoomSettings(
        seed=seed,
        num_frames=num_frames,
        width=width,
        height=height,
        field_of_view=field_of_view,
        sensor_noise=sensor_noise,
        labels=labels,
        density=density,
    )
    folders = []
    numbers = range(first_room, first_room + num_rooms)
    for number in tqdm(numbers, desc="rooms", unit="room", disable=not progress):
        folder = Path(output) / f"room_{number:04d}"
        scene = None if labelled_output is None else Path(labelled_output) / folder.name
        _write_room(folder, scene, number, settings)
        folders.append(folder)
    return folders


def write_labelled_rooms(
    output: Path,
    num_rooms: int,
    seed: int = 0,
    *,
    first_room: int = 0,
    density: float = 2500.0,
    progress: bool = True,
) -> list[Path]:
    """Write rooms as labelled scenes only, the same scenes as :func:`write_rooms`.

    Args:
        output: Folder in which rooms become ``room_0000`` and so on.
        num_rooms: Number of rooms.
        seed: Seed of the set of rooms.
        first_room: Number of the first room.
        density: Points per square metre.
        progress: Whether to show a progress bar.

    Returns:
        The folders of the scenes, in order.

    Raises:
        InputError: A setting is out of range.
    """
    settings = RoomSettings(seed=seed, density=density)
    numbers = range(first_room, first_room + num_rooms)
    scenes = [Path(output) / f"room_{number:04d}" for number in numbers]
    bar = tqdm(scenes, desc="rooms", unit="room", disable=not progress)
    for number, scene in zip(numbers, bar, strict=True):
        _write_room(None, scene, number, settings)
    return scenes


def write_rgbd_folder(folder: Path, frames: Sequence[LabelledFrame], meta: dict[str, Any]) -> None:
    """Write frames in the 7-Scenes layout, atomically.

    Files per frame: ``frame-000000.color.jpg`` (RGB), ``.depth.png`` (uint16 millimetres, 0 for no
    measurement) and ``.pose.txt`` (4x4 camera-to-world, metres). With
    ``meta["settings"]["labels"]`` also ``.label.png`` (uint8, semantic id + 1) and
    ``.instance.png`` (uint16, instance id + 1), both 0 exactly where the depth is 0. Files per
    folder: ``camera-intrinsics.txt`` (3x3, pixels), ``up.txt`` (the up direction) and
    ``meta.json``.

    Args:
        folder: Folder to write; an existing one is replaced.
        frames: Frames, at least one, all with the same intrinsic matrix.
        meta: Content of ``meta.json``.
    """
    with atomic_folder(folder) as partial:
        np.savetxt(partial / "camera-intrinsics.txt", frames[0].frame.intrinsics, fmt="%.18e")
        (partial / "up.txt").write_text("0 0 1\n", encoding="utf-8")
        for labelled in frames:
            frame = labelled.frame
            stem = partial / frame.frame_id
            assert frame.color is not None, "a rendered frame has colour"
            Image.fromarray(frame.color).save(f"{stem}.color.jpg", quality=92)
            millimetres = np.round(frame.depth * 1000).astype(np.uint16)
            Image.fromarray(millimetres).save(f"{stem}.depth.png", compress_level=2)
            np.savetxt(f"{stem}.pose.txt", frame.world_from_camera, fmt="%.18e")
            if meta["settings"]["labels"]:
                label = (labelled.semantic + 1).astype(np.uint8)
                Image.fromarray(label).save(f"{stem}.label.png")
                instance = (labelled.instance + 1).astype(np.uint16)
                Image.fromarray(instance).save(f"{stem}.instance.png")
        write_json(partial / "meta.json", meta)


def labelled_scene(room: Room, points: SurfacePoints, meta: dict[str, Any]) -> LabelledScene:
    """Make a labelled scene of points on the surfaces of a room.

    Args:
        room: The room.
        points: Points on its surfaces.
        meta: ``source`` and ``settings`` of the scene.
    """
    return LabelledScene(
        coord=points.points,
        color=points.colors,
        normal=points.normals,
        semantic=points.semantic,
        instance=points.instance,
        boxes=room.boxes,
        box_instances=room.box_instances,
        class_names=CLASS_NAMES,
        source=meta["source"],
        settings=meta["settings"],
    )


def _write_room(
    folder: Path | None, scene: Path | None, number: int, settings: RoomSettings
) -> None:
    rgbd_meta = _rgbd_meta(number, settings)
    scene_meta = _scene_meta(number, settings)
    wants_frames = folder is not None and not _is_there(folder, rgbd_meta)
    wants_points = scene is not None and not _is_there(scene, scene_meta)
    if not (wants_frames or wants_points):
        return
    # One random stream per purpose: draws for one do not change the others.
    streams = np.random.default_rng([settings.seed, number]).spawn(4)
    room_rng, walk_rng, sensor_rng, points_rng = streams
    room = make_room(room_rng)
    renderer = Renderer(room)
    if folder is not None and wants_frames:
        intrinsics = pinhole(settings.width, settings.height, settings.field_of_view)
        frames = [
            renderer.frame(
                pose,
                intrinsics,
                (settings.width, settings.height),
                frame_id=f"frame-{index:06d}",
                rng=sensor_rng if settings.sensor_noise else None,
            )
            for index, pose in enumerate(walk(room, settings.num_frames, walk_rng))
        ]
        write_rgbd_folder(folder, frames, rgbd_meta)
    if scene is not None and wants_points:
        points = renderer.sample_points(settings.density, points_rng)
        write_labelled_scene(scene, labelled_scene(room, points, scene_meta))


def _rgbd_meta(number: int, settings: RoomSettings) -> dict[str, Any]:
    values = asdict(settings)
    del values["density"]
    return {
        "format_version": FORMAT_VERSION,
        "source": "pointcontrast.synthetic",
        "units": "metres",
        "up_axis": "z",
        "class_names": list(CLASS_NAMES),
        "room": number,
        "settings": values,
    }


def _scene_meta(number: int, settings: RoomSettings) -> dict[str, Any]:
    """Return the entries of ``meta.json`` by which an existing labelled scene is recognised."""
    dataset = "pointcontrast.synthetic"
    return {
        "format_version": SCENE_FORMAT_VERSION,
        "source": {"dataset": dataset, "version": FORMAT_VERSION, "room": number},
        "settings": {"seed": settings.seed, "density": settings.density},
    }


def _is_there(folder: Path, meta: dict[str, Any]) -> bool:
    """Return whether the folder already holds a scene with these settings."""
    if not (folder / "meta.json").exists():
        return False
    found = read_json(folder / "meta.json")
    return isinstance(found, dict) and all(found.get(key) == meta[key] for key in meta)
