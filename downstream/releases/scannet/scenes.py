"""Conversion of ScanNet scans to labelled scenes.

A scene has the vertices, colours and normals of ``_vh_clean_2.ply``, one of the benchmark's 20
classes per vertex, the annotated objects as instances, and an axis-aligned box around each object:
as in VoteNet, the extremes of its vertices in the aligned frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from downstream.releases.scannet.alignment import read_axis_alignment
from downstream.releases.scannet.classes import CLASS_NAMES
from downstream.releases.scannet.labelling import add_labels
from downstream.releases.scannet.mesh import read_mesh, vertex_normals
from downstream.releases.scannet.release import (
    AGGREGATION,
    INFO,
    LABELS,
    MESH,
    SEGMENTS,
    check_scan_id,
    is_test_scan,
    label_map_path,
    scan_file,
)
from downstream.releases.scene_size import check_scene_size, check_unit
from pointcontrast.geometry import transform_points
from pointcontrast.labelled_scene import LabelledScene
from pointcontrast.origins import put_back, take_origin_off
from pointcontrast.preparation.scene_conversion import (
    ConvertedScene,
    convert_all,
    make_scene,
    source_fingerprint,
)
from pointcontrast.preparation.workers import THIS_PROCESS, Workers

_SMALLEST, _LARGEST = 0.2, 300.0  # metres across
_RECIPE = 1  # increased when the same files would give other scenes


@dataclass(frozen=True, kw_only=True)
class SceneSettings:
    """Settings of the conversion.

    Attributes:
        align: Whether to rotate the walls parallel to the axes, with ``axisAlignment`` of the
            scan's ``.txt``.
        labels: Whether to read the labels. Scenes without labels serve pretraining only.
        label_map: Map from raw categories to NYU40, in place of that of the release.
        unit: Metres per unit of the meshes.
    """

    align: bool = True
    labels: bool = True
    label_map: Path | None = None
    unit: float = 1.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: ``unit`` is not positive and finite.
        """
        check_unit(self.unit)


def convert_scan(scan: Path, output: Path, settings: SceneSettings) -> ConvertedScene:
    """Convert a scan, unless it is finished.

    Args:
        scan: Folder of the scan in the release; its name is the id.
        output: Folder of the scenes. The scene is written to ``output/<id>``, atomically.
        settings: Settings of the conversion.

    Raises:
        InputError: A file of the scan is missing or wrong.
    """
    name = check_scan_id(scan.name, str(scan))
    return make_scene(
        output, name, _settings_of(scan, settings), lambda: _read_scan(scan, settings)
    )


def convert_scans(
    scans: Sequence[Path],
    output: Path,
    settings: SceneSettings,
    workers: Workers = THIS_PROCESS,
) -> tuple[list[ConvertedScene], dict[str, str]]:
    """Convert scans in parallel.

    Args:
        scans: Folders of the scans (``release.find_scans``).
        output: Folder of the scenes.
        settings: Settings of the conversion.
        workers: Worker processes.

    Returns:
        Finished scans, and failures (id -> reason), both in the order of ``scans``.
    """
    if settings.label_map is not None:
        settings = replace(settings, label_map=settings.label_map.absolute())
    tasks = {scan.name: (scan.absolute(), output.absolute(), settings) for scan in scans}
    return convert_all(convert_scan, tasks, workers, unit="scan")


def _read_scan(scan: Path, settings: SceneSettings) -> LabelledScene:
    """Read a scan."""
    mesh = read_mesh(scan_file(scan, MESH))
    coord, normal = put_back(mesh.vertices, mesh.origin), vertex_normals(mesh)
    if settings.unit != 1:
        coord = coord.astype(np.float64) * settings.unit
    check_scene_size(coord, str(scan), smallest=_SMALLEST, largest=_LARGEST, unit=settings.unit)
    alignment = read_axis_alignment(scan_file(scan, INFO)) if settings.align else None
    if alignment is not None:
        rotation = np.eye(4)
        rotation[:3, :3] = alignment[:3, :3]
        coord, normal = transform_points(alignment, coord), transform_points(rotation, normal)
    relative, origin = take_origin_off(coord)
    scene = LabelledScene(
        coord=relative,
        origin=origin,
        color=mesh.colors,
        normal=normal,
        class_names=CLASS_NAMES,
        source={"dataset": "ScanNet v2", "scan": scan.name, "folder": scan.parent.name},
        details={
            # None if the file has no such line (test scans) or align is off
            "axis_alignment": None if alignment is None else alignment.tolist(),
            "notes": [],
        },
    )
    if settings.labels and not is_test_scan(scan):
        scene = add_labels(scene, scan, _label_map(scan, settings), mesh)
    return scene


def _label_map(scan: Path, settings: SceneSettings) -> Path:
    return settings.label_map or label_map_path(scan)


def _settings_of(scan: Path, settings: SceneSettings) -> dict[str, Any]:
    """Return everything that determines the content of a scene: options and files."""
    files = [scan_file(scan, MESH)]
    if settings.align:
        files.append(scan_file(scan, INFO))
    if settings.labels and not is_test_scan(scan):
        files += [scan_file(scan, ending) for ending in (LABELS, SEGMENTS, AGGREGATION)]
        files.append(_label_map(scan, settings))
    wanted = {
        "recipe": _RECIPE,
        "align": settings.align,
        "labels": settings.labels,
        "files": source_fingerprint(files),
    }
    return wanted if settings.unit == 1 else {**wanted, "unit": settings.unit}


def report_on_objects(output: Path, finished: Sequence[ConvertedScene]) -> str:
    """Return a line with the number of scenes whose objects are known."""
    without = [each.scene for each in finished if not (output / each.scene / "boxes.npy").exists()]
    line = f"{len(finished) - len(without)} of {len(finished)} scenes have objects and boxes"
    if without:
        some = f"{without[0]}{', ...' if len(without) > 1 else ''}"
        line += (
            f"; {len(without)} ({some}) have none of {SEGMENTS} and {AGGREGATION}: they cannot "
            "train detection"
        )
    return line
