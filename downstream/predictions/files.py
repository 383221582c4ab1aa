"""Files of predictions: coloured PLY, and submissions to ScanNet's benchmark."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from downstream.predictions.class_colors import UNLABELLED, palette_of
from downstream.releases.scannet.classes import CLASSES, NUM_NYU40, class_rows
from downstream.releases.scannet.release import check_scan_id
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.pictures.point_ply import write_point_ply


def write_prediction_ply(
    path: Path,
    points: NDArray[np.floating],
    predictions: NDArray[np.integer],
    class_names: Sequence[str],
    labels: NDArray[np.integer] | None = None,
    colors: NDArray[np.uint8] | None = None,
    faces: NDArray[np.integer] | None = None,
) -> None:
    """Write predicted classes as a binary PLY, coloured by class for any viewer.

    Args:
        path: File to write; its folder is made.
        points: (N, 3) metres.
        predictions: (N,) rows of ``class_names``, written as ``label``; -1 for none.
        class_names: Names of the C classes; the file's comments list them with their colours.
        labels: (N,) ground truth, written as ``truth``; negative where a point has none, written
            as -1. None where it is not known.
        colors: (C, 3) RGB of the classes; None takes :func:`palette_of`.
        faces: (F, 3) rows of ``points``, the triangles of a mesh whose vertices they are; None for
            a cloud without faces.

    Raises:
        InputError: the arrays do not fit together, or hold an unknown class.
    """
    num_classes = len(class_names)
    colors = palette_of(class_names) if colors is None else colors
    shapes = [len(predictions), *([] if labels is None else [len(labels)])]
    if points.shape[1:] != (3,) or {len(points)} != set(shapes) or len(colors) != num_classes:
        raise InputError(
            f"{path}: points {points.shape}, predictions and labels {shapes}, {num_classes} "
            f"classes and {len(colors)} colours do not fit together"
        )
    _check_rows(f"{path}: prediction", predictions, -1, num_classes)
    palette = np.vstack([colors, UNLABELLED]).astype(np.uint8)  # -1 is the last row
    columns = {"label": predictions.astype(np.int32)}
    if labels is not None:
        _check_rows(f"{path}: label", labels, None, num_classes)
        columns["truth"] = np.maximum(labels, -1).astype(np.int32)
    if faces is not None:
        _check_faces(f"{path}: faces", faces, len(points))
    comments = [
        f"class {row} {name}, red green blue {' '.join(map(str, palette[row]))}"
        for row, name in enumerate(class_names)
    ]
    write_point_ply(
        path, points, palette[predictions], columns=columns, faces=faces, comments=comments
    )


def write_scannet_submission(folder: Path, scan: str, predictions: NDArray[np.integer]) -> Path:
    """Write the predictions of a scan for the benchmark: one NYU40 id per line and vertex.

    The format is that of the benchmark's documentation, "Format for 3D Semantic Label Prediction".

    Args:
        folder: Folder to write to; it is made.
        scan: Id of the scan, such as scene0707_00.
        predictions: (N,) rows of the 20 classes, in the order of the vertices of
            ``_vh_clean_2.ply``.

    Returns:
        ``folder/<scan>.txt``.

    Raises:
        InputError: a prediction is none of the 20 classes, or ``scan`` is no valid id.
    """
    path = folder / f"{check_scan_id(scan, 'a submission')}.txt"
    _check_rows(f"{scan}: prediction", predictions, 0, len(CLASSES))
    ids = np.array(list(CLASSES))[predictions]
    with atomic_file(path) as partial:
        partial.write_text("".join(f"{number}\n" for number in ids.tolist()), encoding="ascii")
    return path


def read_scannet_submission(path: Path, num_vertices: int | None = None) -> NDArray[np.int32]:
    """Read the predictions of a scan, with the checks of the benchmark's server.

    Args:
        path: ``<scan>.txt``.
        num_vertices: Number of vertices of the scan's mesh; None does not check it.

    Returns:
        (N,) int32 rows of the 20 classes.

    Raises:
        InputError: the file is missing, has a line that is not one integer, has not one line per
            vertex, or an id that is none of the 20.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        ids = np.array([int(line) for line in lines], dtype=np.int64)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except ValueError as error:
        raise InputError(f"{path} is not one whole number a line ({error})") from None
    if num_vertices is not None and len(ids) != num_vertices:
        raise InputError(f"{path} has {len(ids)} lines, the scan's mesh {num_vertices} vertices")
    known = (ids >= 0) & (ids <= NUM_NYU40)
    rows = class_rows(np.where(known, ids, 0))
    if (rows < 0).any():
        line = int(np.argmax(rows < 0))
        raise InputError(f"{path}, line {line + 1}: {ids[line]} is none of the 20 NYU40 ids")
    return rows


def zip_scannet_submission(folder: Path, scans: Sequence[str] | None = None) -> Path:
    """Pack the files of scans for the benchmark: a zip without folders.

    Args:
        folder: Folder of ``<scan>.txt``.
        scans: Ids to pack; None for every file in the folder.

    Every file is checked first: the server accepts a method again only after two weeks.

    Returns:
        ``<folder>.zip``.

    Raises:
        InputError: there is no file to pack, or one is invalid.
    """
    files = sorted(folder.glob("scene*.txt"))
    if scans is not None:  # other files are of an earlier evaluation
        files = [folder / f"{scan}.txt" for scan in sorted(scans)]
    if not files:
        raise InputError(f"{folder} holds no scene*.txt to pack")
    path = folder.with_name(f"{folder.name}.zip")
    for scan in files:
        check_scan_id(scan.stem, str(scan))
        read_scannet_submission(scan)
    with atomic_file(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        for scan in files:
            file.write(scan, scan.name)
    return path


def _check_faces(what: str, faces: NDArray[np.integer], num_points: int) -> None:
    """Check that faces are triangles of the points."""
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise InputError(f"{what} have the shape {faces.shape}, not (F, 3)")
    if faces.size and not 0 <= faces.min() <= faces.max() < num_points:
        raise InputError(f"{what} name vertices outside 0..{num_points - 1}")


def _check_rows(what: str, rows: NDArray[np.integer], low: int | None, num_classes: int) -> None:
    """Check that rows are at least ``low`` (None: any) and below ``num_classes``."""
    wrong = rows >= num_classes
    if low is not None:
        wrong |= rows < low
    if wrong.any():
        raise InputError(f"{what} {rows[np.argmax(wrong)]} is none of the {num_classes} classes")
