"""One ScanNet scan as one labelled scene, and all scans of a release.

A scene has the vertices, colours and normals of ``_vh_clean_2.ply``, a row of the benchmark's 20
classes per vertex, the annotated objects as instances, and an axis-aligned box about each object
(as VoteNet's are: the extremes of its vertices in the aligned frame).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from downstream.releases.scannet.alignment import read_axis_alignment
from downstream.releases.scannet.classes import CLASS_NAMES
from downstream.releases.scannet.labelling import labelled
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
from pointcontrast.geometry import transform_points
from pointcontrast.labelled_scene import LabelledScene
from pointcontrast.preparation.scene_conversion import (
    ConvertedScene,
    convert_all,
    fingerprint,
    make_scene,
)

_RECIPE = 1  # raised when the code comes to make other scenes from the same files


@dataclass(frozen=True, kw_only=True)
class SceneSettings:
    """How scans become scenes.

    Attributes:
        align: turn the walls along the axes, as the scan's ``.txt`` says.
        labels: take the labels; without them, only pretraining can use the scenes.
        label_map: the map from raw categories to NYU40, in place of the release's own.
    """

    align: bool = True
    labels: bool = True
    label_map: Path | None = None


def convert_scan(scan: Path, output: Path, settings: SceneSettings) -> ConvertedScene:
    """Make the labelled scene of one scan, unless it is there already.

    Args:
        scan: the scan's folder in the release; its name is the scan's id.
        output: the scene becomes ``output/<id>``, whole or not at all.
        settings: how.

    Raises:
        InputError: a file of the scan is missing or wrong; the message names it.
    """
    name = check_scan_id(scan.name, str(scan))
    return make_scene(
        output, name, _settings_of(scan, settings), lambda: _read_scan(scan, settings)
    )


def convert_scans(
    scans: Sequence[Path],
    output: Path,
    settings: SceneSettings,
    *,
    num_workers: int | None = 1,
    scheduler: str | None = None,
    memory_limit: str = "auto",
    progress: bool = False,
) -> tuple[list[ConvertedScene], dict[str, str]]:
    """Make the labelled scenes of many scans; one that fails does not stop the others.

    Args:
        scans: their folders (``release.find_scans``).
        output: folder of the scenes.
        settings: how.
        num_workers: processes; None is one a core (see
            :func:`pointcontrast.preparation.prepare.prepare`).
        scheduler: address of a Dask scheduler to use instead.
        memory_limit: of each process.
        progress: show a progress bar.

    Returns:
        What is finished, and scan -> reason for what is not, both in the order of ``scans``.
    """
    root = Path(os.path.abspath(output))  # workers elsewhere have other working folders
    return convert_all(
        _convert,
        {scan.name: (scan, root, settings) for scan in scans},
        num_workers=num_workers,
        scheduler=scheduler,
        memory_limit=memory_limit,
        progress=progress,
        unit="scan",
    )


def _convert(task: tuple[Path, Path, SceneSettings]) -> ConvertedScene:
    return convert_scan(*task)


def _read_scan(scan: Path, settings: SceneSettings) -> LabelledScene:
    """One scan as a scene without settings."""
    mesh = read_mesh(scan_file(scan, MESH))
    coord, normal = mesh.vertices, vertex_normals(mesh)
    alignment = read_axis_alignment(scan_file(scan, INFO)) if settings.align else None
    if alignment is not None:
        rotation = np.eye(4)
        rotation[:3, :3] = alignment[:3, :3]
        coord, normal = transform_points(alignment, coord), transform_points(rotation, normal)
    scene = LabelledScene(
        coord=coord,
        color=mesh.colors,
        normal=normal,
        class_names=CLASS_NAMES,
        source={"dataset": "ScanNet v2", "scan": scan.name, "folder": scan.parent.name},
        details={
            # None: the file has no such line (test scans), or it was not asked for
            "axis_alignment": None if alignment is None else alignment.tolist(),
            "notes": [],
        },
    )
    if settings.labels and not is_test_scan(scan):
        scene = labelled(scene, scan, _label_map(scan, settings), mesh.vertices)
    return scene


def _label_map(scan: Path, settings: SceneSettings) -> Path:
    return settings.label_map or label_map_path(scan)


def _settings_of(scan: Path, settings: SceneSettings) -> dict[str, Any]:
    """What decides the content of a scene: the switches, and which files there are."""
    files = [scan_file(scan, MESH)]
    if settings.align:
        files.append(scan_file(scan, INFO))
    if settings.labels and not is_test_scan(scan):
        files += [scan_file(scan, ending) for ending in (LABELS, SEGMENTS, AGGREGATION)]
        files.append(_label_map(scan, settings))
    return {
        "recipe": _RECIPE,
        "align": settings.align,
        "labels": settings.labels,
        "files": fingerprint(files),
    }
