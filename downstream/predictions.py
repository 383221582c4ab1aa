"""Predictions on disk: point clouds to look at, and the files of ScanNet's benchmark."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from downstream.class_colors import UNLABELLED, class_colors
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.scannet.classes import CLASSES


def write_prediction_ply(
    path: Path,
    points: NDArray[np.float32],
    predictions: NDArray[np.integer],
    class_names: Sequence[str],
    labels: NDArray[np.integer] | None = None,
) -> None:
    """Write predicted classes as a binary PLY that any viewer shows in the classes' colours.

    Args:
        path: its folder is made.
        points: (N, 3) metres.
        predictions: (N,) rows of ``class_names``, or -1.
        class_names: they go into the file's comments, with their rows and colours.
        labels: (N,) what is true, as ``truth``; None where it is not known.
    """
    palette = np.vstack([class_colors(len(class_names)), UNLABELLED]).astype(np.uint8)
    fields = [(name, "<f4") for name in "xyz"]
    fields += [(name, "u1") for name in ("red", "green", "blue")] + [("label", "<i4")]
    fields += [] if labels is None else [("truth", "<i4")]
    vertices = np.empty(len(points), dtype=fields)
    for axis, name in enumerate("xyz"):
        vertices[name] = points[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        vertices[name] = palette[predictions, channel]  # -1 is the last row
    vertices["label"] = predictions
    if labels is not None:
        vertices["truth"] = np.maximum(labels, -1)
    comments = [
        f"class {row} {name}, red green blue {' '.join(map(str, palette[row]))}"
        for row, name in enumerate(class_names)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        PlyData([PlyElement.describe(vertices, "vertex")], comments=comments).write(str(partial))


def write_scannet_submission(folder: Path, scan: str, predictions: NDArray[np.integer]) -> Path:
    """Write a scan's predictions as the benchmark wants them: a NYU40 id a line, a line a vertex.

    Args:
        folder: is made.
        scan: such as scene0707_00.
        predictions: (N,) rows of the 20 classes, in the order of the vertices of
            ``_vh_clean_2.ply``.

    Returns:
        ``folder/<scan>.txt``.

    Raises:
        InputError: a prediction is none of the 20 classes.
    """
    ids = np.array(list(CLASSES))
    if len(predictions) and not 0 <= predictions.min() <= predictions.max() < len(ids):
        raise InputError(f"{scan}: predictions must be rows of the {len(ids)} classes")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{scan}.txt"
    with atomic_file(path) as partial:
        np.savetxt(partial, ids[predictions], fmt="%d")
    return path


def zip_scannet_submission(folder: Path) -> Path:
    """Pack the scans' files as the benchmark takes them: a zip without folders.

    Returns:
        ``<folder>.zip``.

    Raises:
        InputError: there is no file to pack.
    """
    files = sorted(folder.glob("scene*.txt"))
    if not files:
        raise InputError(f"{folder} holds no scene*.txt to pack")
    path = folder.with_suffix(".zip")
    with atomic_file(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        for scan in files:
            file.write(scan, scan.name)
    return path
