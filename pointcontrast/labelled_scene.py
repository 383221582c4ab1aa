"""The folder of one labelled scene, the format that all benchmarks and scene crops read.

Every scene has ``coord.npy`` (N, 3) float32 metres. Optional are ``color.npy`` (N, 3) uint8 RGB,
``normal.npy`` (N, 3) float32, ``semantic.npy`` (N,) int32, ``instance.npy`` (N,) int32 and
``boxes.npy`` (K, 8) float32. ``meta.json`` holds their meaning, sizes and SHA-256, and the origin
that coordinates are relative to. A folder appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_folder, read_json, sha256, write_json
from pointcontrast.labelled_scene_checks import (
    BOX_COLUMNS,
    DTYPES,
    REDO,
    check_array,
    check_boxes_near,
    check_extent,
    check_origin,
    check_ranges,
)

FORMAT_VERSION = 2
"""Version 1 had no checksums."""

UP_AXES: dict[str, tuple[int, int, int]] = {
    "x": (1, 0, 0),
    "y": (0, 1, 0),
    "z": (0, 0, 1),
    "-x": (-1, 0, 0),
    "-y": (0, -1, 0),
    "-z": (0, 0, -1),
}


@dataclass(frozen=True, kw_only=True)
class LabelledScene:
    """One scene of N points, K boxes and C classes; lengths in metres, all in one frame.

    The dtypes are those of a scene that was read. :func:`write_labelled_scene` takes others.

    Attributes:
        coord: (N, 3) float32 relative to ``origin``, N >= 1, finite.
        color: (N, 3) uint8 RGB; or None.
        normal: (N, 3) float32 unit vectors, 0 0 0 where the normal is unknown; or None.
        semantic: (N,) int32 rows of ``class_names``, -1 for unlabelled or ignored; or None.
        instance: (N,) int32 ids, -1 for no instance; or None.
        boxes: (K, 8) float32, columns ``BOX_COLUMNS``, relative to ``origin``; or None.
        box_instances: (K,) int32 instance ids of the boxes; or None.
        class_names: Names of the C classes; empty if nothing is labelled.
        up_axis: Up direction, a key of ``UP_AXES``.
        origin: (3,) float64 metres; coordinates plus origin are in the frame of the source. Zero,
            or whole metres where the source is georeferenced (``pointcontrast.origins``).
        source: Where the scene comes from, for people; JSON values.
        settings: Settings that determine its content; other settings make it again; JSON values.
        details: Further information of the source; JSON values.
    """

    coord: NDArray[np.float32]
    color: NDArray[np.uint8] | None = None
    normal: NDArray[np.float32] | None = None
    semantic: NDArray[np.int32] | None = None
    instance: NDArray[np.int32] | None = None
    boxes: NDArray[np.float32] | None = None
    box_instances: NDArray[np.int32] | None = None
    class_names: tuple[str, ...] = ()
    up_axis: str = "z"
    origin: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    source: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.coord)

    @property
    def up(self) -> NDArray[np.float64]:
        """(3,) float64 unit vector, the up direction."""
        return np.array(UP_AXES[self.up_axis], dtype=np.float64)

    @property
    def source_points(self) -> NDArray[np.float64]:
        """(N, 3) float64 points in the frame of the source."""
        return np.asarray(self.coord, np.float64) + self.origin

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the scene by the names of their files, without ``.npy``."""
        return {name: value for name in DTYPES if (value := getattr(self, name)) is not None}


def write_labelled_scene(folder: Path, scene: LabelledScene) -> None:
    """Write a scene, atomically.

    Arrays are brought to the dtypes of :class:`LabelledScene` first
    (:func:`pointcontrast.labelled_scene_forms.stored_form`). Coordinates in float64 lose no digit:
    an origin is taken off them and the boxes, and added to the scene's.

    Args:
        folder: Folder to write; an existing one is replaced.
        scene: Scene, which is checked before anything is written.

    Raises:
        InputError: An array has another shape than :class:`LabelledScene` requires, a form that
            cannot be converted, or values out of range.
    """
    from pointcontrast.labelled_scene_forms import stored_form  # not needed to read scenes

    where = f"the scene for {folder}"
    origin = check_origin(scene.origin, f"{where}: origin")
    arrays, origin = stored_form(scene.arrays(), origin, where)
    scene = replace(scene, **arrays, origin=origin)
    _check_meta(where, scene)
    for name, array in scene.arrays().items():
        check_array(f"{where}: {name}", name, array, len(scene.coord))
    check_ranges(scene.arrays(), len(scene.class_names), lambda name: f"{where}: {name}")
    check_extent(scene.coord, f"{where}: coord")
    if scene.boxes is not None:
        check_boxes_near(scene.boxes, scene.coord, f"{where}: boxes")
    with atomic_folder(folder) as partial:
        for name, array in scene.arrays().items():
            np.save(partial / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
        meta: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "source": dict(scene.source),
            "units": "metres",
            "up_axis": scene.up_axis,
            "origin": scene.origin.tolist(),
            "class_names": list(scene.class_names),
            "settings": dict(scene.settings),
            "details": dict(scene.details),
        }
        if scene.boxes is not None:
            meta["box_columns"] = list(BOX_COLUMNS)
        if scene.box_instances is not None:
            meta["box_instances"] = scene.box_instances.tolist()
        meta["files"] = {path.name: _facts(path) for path in sorted(partial.glob("*.npy"))}
        write_json(partial / "meta.json", meta)


def read_labelled_scene(
    folder: Path, mmap: bool = True, check_values: bool = True
) -> LabelledScene:
    """Read a scene.

    Args:
        folder: Folder of the scene.
        mmap: Whether the arrays are mapped into memory (read-only, read on access) instead of
            read.
        check_values: Whether every value is checked. False reads headers only, for readers that
            open a scene repeatedly.

    Raises:
        InputError: A file is missing or damaged, or has another shape, dtype or range than
            :class:`LabelledScene` requires; the message names it.
    """
    meta = _read_meta(folder)
    arrays: dict[str, Any] = {}
    for file, facts in meta["files"].items():
        path, name = folder / file, file.removesuffix(".npy")
        if not path.exists():
            raise InputError(f"{path} is missing; {REDO}")
        if path.stat().st_size != facts["bytes"]:
            raise InputError(
                f"{path} is damaged: it has {path.stat().st_size} bytes, not {facts['bytes']}; "
                f"{REDO}"
            )
        try:
            arrays[name] = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{path} is damaged ({error}); {REDO}") from None
    for name, array in arrays.items():
        check_array(str(folder / f"{name}.npy"), name, array, len(arrays["coord"]))
    if "box_instances" in meta:
        try:
            arrays["box_instances"] = np.asarray(meta["box_instances"], dtype=np.int32)
        except (TypeError, ValueError, OverflowError) as error:
            file = folder / "meta.json"
            raise InputError(f"{file} is damaged: 'box_instances' ({error}); {REDO}") from None
    scene = LabelledScene(
        **arrays,
        class_names=tuple(meta["class_names"]),
        up_axis=meta["up_axis"],
        origin=check_origin(meta.get("origin", [0, 0, 0]), f"{folder / 'meta.json'}: origin"),
        source=meta["source"],
        settings=meta["settings"],
        details=meta["details"],
    )
    _check_meta(str(folder / "meta.json"), scene)
    if check_values:
        check_ranges(
            scene.arrays(), len(scene.class_names), lambda name: str(folder / f"{name}.npy")
        )
    return scene


def find_labelled_scenes(root: Path) -> list[Path]:
    """Find the labelled scenes at or below ``root``, sorted; hidden folders are skipped.

    Raises:
        InputError: ``root`` is not a folder, or holds no labelled scene.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give a folder of labelled scenes")
    found = sorted(
        path.parent
        for path in root.rglob("coord.npy")
        if (path.parent / "meta.json").exists()
        and not any(part.startswith(".") for part in path.parent.relative_to(root).parts)
    )
    if not found:
        raise InputError(
            f"{root} holds no labelled scene (a folder with coord.npy and meta.json); make some "
            "with the scripts of datasets/"
        )
    return found


def problems_of_scene(folder: Path) -> list[str]:
    """Read every byte of a scene and list all problems: values, checksums, foreign files."""
    try:
        scene = read_labelled_scene(folder)
    except InputError as error:
        return [str(error)]
    files = read_json(folder / "meta.json")["files"]
    found = [
        f"{folder / name} is damaged (its checksum differs); {REDO}"
        for name, facts in files.items()
        if _facts(folder / name) != facts
    ]
    known = {f"{name}.npy" for name in scene.arrays()} | {"meta.json"}
    found += [
        f"{path} does not belong to the scene; remove it"
        for path in sorted(folder.iterdir())
        if path.name not in known
    ]
    return found


def _read_meta(folder: Path) -> dict[str, Any]:
    """Read ``meta.json`` and check the types that the reader relies on."""
    file = folder / "meta.json"
    if not file.exists():
        raise InputError(f"{folder} is not a labelled scene: it has no meta.json; {REDO}")
    meta = read_json(file)
    version = meta.get("format_version") if isinstance(meta, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{file} is of format version {version}, this program reads {FORMAT_VERSION}; {REDO}"
        )
    types = {"class_names": list, "up_axis": str}
    types |= dict.fromkeys(("source", "settings", "details", "files"), dict)
    for key, kind in types.items():
        if not isinstance(meta.get(key), kind):
            raise InputError(f"{file} is damaged: it has no {key!r} of type {kind.__name__}")
    if meta.get("units") != "metres":
        raise InputError(f"{file}: units must be 'metres', got {meta.get('units')!r}; {REDO}")
    known = {f"{name}.npy" for name in DTYPES}
    for name, facts in meta["files"].items():
        # A name from a file must never point outside the folder.
        if name not in known or not isinstance(facts, dict) or "bytes" not in facts:
            raise InputError(f"{file} is damaged: it lists a file {name!r}; {REDO}")
    if "coord.npy" not in meta["files"]:
        raise InputError(f"{file} is damaged: it lists no coord.npy; {REDO}")
    return meta


def _check_meta(where: str, scene: LabelledScene) -> None:
    if scene.up_axis not in UP_AXES:
        raise InputError(f"{where}: up_axis must be one of {list(UP_AXES)}, got {scene.up_axis!r}")
    if not all(isinstance(name, str) for name in scene.class_names):
        raise InputError(f"{where}: class_names must be strings, got {scene.class_names!r}")
    num_boxes = None if scene.boxes is None else len(scene.boxes)
    if scene.box_instances is not None and scene.box_instances.shape != (num_boxes,):
        raise InputError(
            f"{where}: box_instances must name the instance of each of the {num_boxes} boxes, got "
            f"{scene.box_instances.shape}"
        )


def _facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}
