"""Preparation of one scene, from a recording to a prepared folder.

The folder holds the view store (``pointcontrast.scenes.view_store``), ``overlap.npy``, (V, V)
float32, and the scene's own ``pairs.parquet``. It appears whole or not at all. A folder finished
with the same settings is kept; another threshold only chooses the pairs again.

Overlaps are computed from frames at full resolution, as in the authors' code, also where thinned
points are stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_folder, sweep_leftovers
from pointcontrast.recordings.fingerprint import is_same_source
from pointcontrast.recordings.options import CameraAxes, PoseDirection
from pointcontrast.recordings.sequence import PosedSequence
from pointcontrast.scenes.overlap import OverlapMode, Overlaps
from pointcontrast.scenes.pairs import (
    PAIRS_FILE,
    choose_pair_table,
    read_pair_settings,
    read_pair_table,
    write_pairs,
)
from pointcontrast.scenes.recorded_views import MAX_DEPTH, read_views, scene_origin
from pointcontrast.scenes.scene_meta import SceneMeta, file_facts, write_meta
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.scenes.view_store_writer import (
    STORAGE_GRID,
    SceneSource,
    Storage,
    fill_view_store,
)
from pointcontrast.scenes.views import SkippedFrame, View
from pointcontrast.types import OVERLAP_THRESHOLD, OVERLAP_VOXEL_SIZE

_RECIPE = 2  # raised when the code makes other scenes from the same settings


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the preparation of scenes; each is an option of ``tools/prepare_pairs.py``.

    Attributes:
        frame_skip: Step between frames; the authors' 25 is for ScanNet's 30 Hz.
        max_depth: Largest depth of a point of a depth image, metres; inf keeps all.
        storage: Form of the stored views: "depth" keeps whole depth images, "points" their points,
            thinned. Sweeps are always stored as points.
        storage_grid: Side of the cells to which stored points are thinned, one point per cell,
            metres; 0 keeps all.
        overlap: Computation of overlaps: "exact" as in the authors' code, "fast" approximately. On
            real scenes at least 99.6% of the pairs of views are on the same side of 0.3
            (pointcontrast/scenes/overlap.py).
        overlap_voxel_size: Voxel size of the clouds whose overlap is computed, metres. Points
            match within 1.5 voxels.
        overlap_threshold: Smallest overlap of a pair.
        up: Up direction of the world, in place of the stated or the estimated one.
        intrinsics: Intrinsics fx, fy, cx, cy of the depth images in pixels, in place of those of
            the recording.
        depth_scale: Units of the depth images per metre, in place of the layout's own: 1000 for
            millimetres, 5000 for TUM RGB-D, 6553.5 for Replica.
        poses: Direction of the poses, in place of the layout's own: "inverse" where they map the
            world to the camera.
        axes: Axes of the cameras, in place of the layout's own: "opencv" (x right, y down, z
            forward), "opengl" (x right, y up, z backward) or "unity" (x right, y up, z forward,
            left-handed).
        floats_per_point: Numbers per point of sweeps in .bin files, in place of what their numbers
            tell: 4 for KITTI, 5 for nuScenes.
        topics: Topics of the sweeps and of their poses in a bag of ROS that has several; /tf for
            the poses takes the tree of frames.
        unit: Metres per unit of the coordinates of a mesh or point cloud: 0.001 for millimetres.
        self_check: Check on a few frames that the views fit together as they are read.
    """

    frame_skip: int = 1
    max_depth: float = MAX_DEPTH
    storage: Storage = "depth"
    storage_grid: float = STORAGE_GRID
    overlap: OverlapMode = "fast"
    overlap_voxel_size: float = OVERLAP_VOXEL_SIZE
    overlap_threshold: float = OVERLAP_THRESHOLD
    up: tuple[float, float, float] | None = None
    intrinsics: tuple[float, float, float, float] | None = None
    depth_scale: float | None = None
    poses: PoseDirection | None = None
    axes: CameraAxes | None = None
    floats_per_point: int | None = None
    topics: tuple[str, str] | None = None
    unit: float | None = None
    self_check: bool = True

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: A value is out of range; the message names its option.
        """
        for name, good, wanted in (
            ("frame_skip", self.frame_skip >= 1, "at least 1"),
            ("max_depth", self.max_depth > 0, "above 0"),
            ("storage_grid", 0 <= self.storage_grid <= 1, "within 0..1 m"),
            (
                "overlap_voxel_size",
                0 < self.overlap_voxel_size <= 10,
                "above 0 and at most 10 m",
            ),
            ("overlap_threshold", 0 < self.overlap_threshold <= 1, "above 0 and at most 1"),
            (
                "depth_scale",
                self.depth_scale is None or 0 < self.depth_scale < np.inf,
                "above 0",
            ),
            (
                "floats_per_point",
                self.floats_per_point is None or 3 <= self.floats_per_point <= 32,
                "within 3..32",
            ),
            ("unit", self.unit is None or 0 < self.unit < np.inf, "above 0"),
            ("up", self.up is None or 0 < float(np.linalg.norm(self.up)) < np.inf, "not zero"),
        ):
            if not good:
                option = name.replace("_", "-")
                raise InputError(f"--{option} must be {wanted}; got {getattr(self, name)}")


@dataclass(frozen=True)
class SceneSummary:
    """Summary of a finished scene.

    Attributes:
        scene: Folder of the scene, relative to the output.
        meta: Content of the ``meta.json`` of its view store.
        num_pairs: Number of pairs above the threshold.
        num_bytes: Size on disk, bytes.
        reused: Whether it was finished before with the same settings.
        notes: Readings of the recording that its files do not state, one line each.
    """

    scene: str
    meta: SceneMeta
    num_pairs: int
    num_bytes: int
    reused: bool
    notes: tuple[str, ...] = ()


def prepare_scene(
    sequence: PosedSequence,
    output: Path,
    scene: str,
    settings: Settings,
    title: str | None = None,
) -> SceneSummary:
    """Prepare one scene, or the parts of it that are missing.

    Args:
        sequence: Recording of the scene.
        output: Folder of the prepared scenes.
        scene: Folder of the scene, relative to ``output``.
        settings: Settings of the preparation.
        title: Title of the progress bars; None shows no bar.

    Raises:
        InputError: Fewer than two usable frames, or another fault of the input.
    """
    folder = output / scene
    if settings.up is not None:  # simulated cameras stand upright along it
        sequence.up = np.asarray(settings.up) / np.linalg.norm(settings.up)
    _refuse_foreign(folder, output)
    wanted = _scene_settings(sequence, settings)
    threshold = {"overlap_threshold": settings.overlap_threshold}
    meta = _reusable(folder, wanted)
    reused = meta is not None
    if meta is None:
        sweep_leftovers([folder])
        if settings.self_check:
            sequence.check_conventions()
        with atomic_folder(folder) as partial:
            meta = _fill_scene(partial, sequence, settings, wanted, title)
            overlap = np.load(partial / "overlap.npy")
            pairs = choose_pair_table(overlap, settings.overlap_threshold, scene)
            write_pairs(partial / PAIRS_FILE, pairs, threshold)
    elif _pair_settings(folder) != threshold:
        reused = False
        overlap = np.load(folder / "overlap.npy")
        pairs = choose_pair_table(overlap, settings.overlap_threshold, scene)
        write_pairs(folder / PAIRS_FILE, pairs, threshold)
    num_bytes = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    num_pairs = len(read_pair_table(folder / PAIRS_FILE))
    return SceneSummary(scene, meta, num_pairs, num_bytes, reused, sequence.notes)


def _fill_scene(
    folder: Path,
    sequence: PosedSequence,
    settings: Settings,
    wanted: dict[str, Any],
    title: str | None,
) -> SceneMeta:
    """Write the view store and the overlaps of one scene to an empty folder."""
    up, how = settings.up, "given"
    if up is None and sequence.up is not None:
        up, how = sequence.up, "stated by the source"
    overlaps = Overlaps(settings.overlap, settings.overlap_voxel_size)
    origin = scene_origin(sequence, settings.frame_skip)
    frames = read_views(sequence, settings.frame_skip, settings.max_depth, origin)
    count = len(range(0, len(sequence), settings.frame_skip))
    meta = fill_view_store(
        folder,
        _noting(_bar(frames, count, title, "frame"), overlaps),
        SceneSource(sequence.layout, str(sequence.folder), sequence.problem, up, how, origin),
        storage=settings.storage,
        storage_grid=settings.storage_grid,
        settings=wanted,
    )
    if len(overlaps) < 2:
        reason = f"; the first skipped frame: {meta.skipped[0].reason}" if meta.skipped else ""
        raise InputError(
            f"{sequence.folder} has only one usable view, and a pair needs two: give more frames "
            f"or a smaller --frame-skip (now {settings.frame_skip}){reason}"
        )
    with _bar(None, len(overlaps), title, "overlap") as bar:
        np.save(folder / "overlap.npy", overlaps.matrix(bar.update))
    facts = {"overlap.npy": file_facts(folder / "overlap.npy")}
    meta = replace(meta, files=meta.files | facts)
    write_meta(folder, meta)
    return meta


def _noting(
    views: Iterable[View | SkippedFrame], overlaps: Overlaps
) -> Iterator[View | SkippedFrame]:
    """Yield the views, adding each to the overlaps."""
    for view in views:
        if isinstance(view, View):
            try:
                overlaps.add(view.cloud.points)
            except InputError as error:  # a pose so wrong that its voxels cannot be numbered
                view = SkippedFrame(view.frame_id, f"{view.frame_id}: {error}")
        yield view


def no_pairs_reason(folder: Path, threshold: float) -> str:
    """Explain why the finished scene in ``folder`` has no pair, and what would help."""
    overlap = np.load(folder / "overlap.npy")
    best = float(overlap[~np.eye(len(overlap), dtype=bool)].max())
    return (
        f"no two of its {len(overlap)} views overlap by {threshold:g} or more (the best by "
        f"{best:.2f}): give a smaller --overlap-threshold, or frames closer together"
    )


def _scene_settings(sequence: PosedSequence, settings: Settings) -> dict[str, Any]:
    """Return all that determines the content of a scene's folder, except its pair list."""
    # An option that is not given is no setting: folders made before it existed stay finished.
    # The check changes nothing in the folder.
    stated = ("depth_scale", "poses", "axes", "floats_per_point", "topics", "unit")
    wanted = {k: v for k, v in asdict(settings).items() if v is not None or k not in stated}
    del wanted["overlap_threshold"]
    del wanted["self_check"]
    wanted["voxel_size"] = wanted.pop("overlap_voxel_size")  # the key of folders made before
    if np.isinf(settings.max_depth):
        wanted["max_depth"] = None  # JSON has no infinity
    if settings.up is None and sequence.up is not None:
        wanted["up"] = sequence.up.tolist()
    wanted |= {"recipe": _RECIPE, "frames": sequence.fingerprint()}
    return json.loads(json.dumps(wanted))  # tuples become lists, as in meta.json


def _reusable(folder: Path, wanted: dict[str, Any]) -> SceneMeta | None:
    """Return the finished scene in ``folder`` if it is whole and was made with these settings."""
    if not folder.exists():
        return None
    try:
        store = ViewStore(folder)
        overlap = np.load(folder / "overlap.npy", mmap_mode="r", allow_pickle=False)
    except (InputError, ValueError, OSError, EOFError):
        return None  # damaged: made again
    whole = overlap.shape == (len(store), len(store)) and overlap.dtype == np.float32
    return store.meta if whole and _same_settings(store.meta.settings, wanted) else None


def _same_settings(stored: dict[str, Any], wanted: dict[str, Any]) -> bool:
    same_source = is_same_source(stored.get("frames"), wanted["frames"])
    return same_source and stored | {"frames": None} == wanted | {"frames": None}


def _pair_settings(folder: Path) -> dict[str, Any] | None:
    try:
        read_pair_table(folder / PAIRS_FILE)
        return read_pair_settings(folder / PAIRS_FILE)
    except InputError:
        return None  # absent or damaged: made again


def _refuse_foreign(folder: Path, output: Path) -> None:
    """Never replace a folder that is not a prepared scene, such as the raw frames themselves."""
    if folder.exists() and not (folder / "meta.json").exists() and any(folder.iterdir()):
        raise InputError(f"{folder} holds other files, not a prepared scene; give another --output")
    for parent in folder.parents:
        if parent == output:
            return
        if (parent / "meta.json").exists():
            raise InputError(f"{parent} is a prepared scene itself; give another --output")


def _bar(items: Iterable[Any] | None, total: int, title: str | None, unit: str) -> tqdm[Any]:
    # disable=None: no bar where the output is not a terminal
    return tqdm(
        items, desc=title, total=total, unit=unit, leave=False, disable=None if title else True
    )
