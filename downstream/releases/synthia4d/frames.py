"""Conversion of frames to labelled scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyParseError

from downstream.releases.file_names import left_out_lines, others_in
from downstream.releases.grid import GridSettings, thin_to_grid
from downstream.releases.scene_size import check_scene_size
from downstream.releases.synthia4d.classes import CLASS_NAMES, NUM_LABELS, class_rows
from downstream.releases.synthia4d.layout import frame_files, is_frame_file
from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene
from pointcontrast.origins import take_origin_off
from pointcontrast.preparation.scene_conversion import (
    ConvertedScene,
    convert_all,
    make_scene,
    source_fingerprint,
)
from pointcontrast.preparation.workers import THIS_PROCESS, Workers

_RECIPE = 1  # increased when the same files would give other scenes

_CENTIMETRES = 0.01
_SMALLEST, _LARGEST = 2.0, 5000.0  # metres across: a view down a street
_COLORS = (("red", "r"), ("green", "g"), ("blue", "b"))
_LABEL = ("label", "l")


def find_frames(release: Path, names: Sequence[str]) -> list[str]:
    """Return the names, such as ``SYNTHIA-SEQS-05-FOG/000010``, of the frames that exist.

    Raises:
        InputError: The release does not exist or has none of the frames.
    """
    if not release.is_dir():
        raise InputError(f"{release} is not a folder; give the one with SYNTHIA-SEQS-01-DAWN, ...")
    found = [name for name in names if frame_files(release, *name.split("/"))[0].exists()]
    if not found:
        raise InputError(
            f"{release} holds none of the {len(names)} frames asked for, such as "
            f"{frame_files(release, *names[0].split('/'))[0]}"
        )
    return found


def names_left_out(release: Path, names: Sequence[str]) -> list[str]:
    """Return lines that list files beside the frames whose names are not those of frames."""
    sequences = sorted({name.partition("/")[0] for name in names})
    folders = [frame_files(release, sequence, "000000")[0].parent for sequence in sequences]
    others = [
        path for folder in folders for path in others_in(folder, lambda p: is_frame_file(p.name))
    ]
    return left_out_lines(release, others, "<frame>.ply or <frame>_label.ply")


def convert_frame(release: Path, name: str, output: Path, settings: GridSettings) -> ConvertedScene:
    """Convert a frame, unless it is finished.

    Args:
        release: Folder of the sequences.
        name: Name of the frame, such as ``SYNTHIA-SEQS-05-FOG/000010``.
        output: Folder of the scenes. The scene is written to ``output/<name>``, atomically.
        settings: Settings of the conversion.

    Raises:
        InputError: A file of the frame is missing or wrong.
    """
    files = frame_files(release, *name.split("/"))
    wanted = {"recipe": _RECIPE, "grid": settings.grid, "files": source_fingerprint(files)}
    if settings.unit is not None:
        wanted["unit"] = settings.unit
    return make_scene(output, name, wanted, lambda: _read_frame(name, *files, settings))


def convert_frames(
    release: Path,
    names: Sequence[str],
    output: Path,
    settings: GridSettings,
    workers: Workers = THIS_PROCESS,
) -> tuple[list[ConvertedScene], dict[str, str]]:
    """Convert frames in parallel.

    Args:
        release: Folder of the sequences.
        names: Names of the frames.
        output: Folder of the scenes.
        settings: Settings of the conversion.
        workers: Worker processes.

    Returns:
        Finished frames, and failures (name -> reason), both in the order of ``names``.
    """
    tasks = {name: (release.absolute(), name, output.absolute(), settings) for name in names}
    return convert_all(convert_frame, tasks, workers, unit="frame")


def _read_frame(name: str, points: Path, labels: Path, settings: GridSettings) -> LabelledScene:
    """Read a frame: metres, y up, in the frame of reference of its file.

    The labels are a property of the file of points, or of a second file with the same points.
    """
    vertices = _vertices(points)
    coord = np.stack([_column(points, vertices, (axis,)) for axis in "xyz"], axis=1)
    if not np.isfinite(coord).all():
        raise InputError(f"{points} has points at NaN or infinity; copy it again")
    unit = _CENTIMETRES if settings.unit is None else settings.unit
    coord = coord / 100 if unit == _CENTIMETRES else coord * unit
    check_scene_size(coord, str(points), smallest=_SMALLEST, largest=_LARGEST, unit=unit)
    relative, origin = take_origin_off(coord)
    color = np.stack([_stored(points, vertices, names) for names in _COLORS], axis=1)
    arrays: dict[str, Any] = {
        "coord": relative,
        "color": as_uint8_colors(color, f"{points}: its points"),
        "semantic": class_rows(_labels(points, vertices, labels)),
    }
    if settings.grid:
        arrays = thin_to_grid(arrays, settings.grid)
    return LabelledScene(
        **arrays,
        class_names=CLASS_NAMES,
        up_axis="y",
        origin=origin,
        source={"dataset": "Synthia4D", "frame": name},
        details={"notes": []},
    )


def _labels(points: Path, vertices: NDArray[Any], labels: Path) -> NDArray[np.int64]:
    """Read labels 0..15 (N,) from either file."""
    path = points
    if not any(name in (vertices.dtype.names or ()) for name in _LABEL):
        path = labels
        if not labels.exists():
            raise InputError(f"{points} has no labels and {labels} does not exist; copy it")
        count = len(vertices)
        vertices = _vertices(labels)
        if len(vertices) != count:
            raise InputError(
                f"{labels} has {len(vertices)} points and {points} has {count}; they do not "
                "belong together"
            )
    found = _column(path, vertices, _LABEL)
    if found.min() < 0 or found.max() >= NUM_LABELS or (found != found.round()).any():
        wrong = found[(found < 0) | (found >= NUM_LABELS) | (found != found.round())][0]
        raise InputError(f"{path} has the label {wrong:g}; labels are 0..{NUM_LABELS - 1}")
    return found.astype(np.int64)


def _vertices(path: Path) -> NDArray[Any]:
    try:
        ply = PlyData.read(path)
        vertices = ply["vertex"].data
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; copy it from the release") from None
    except (PlyParseError, ValueError, KeyError, OverflowError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"{path} is not a whole PLY file ({reason}); copy it again") from None
    if not len(vertices):
        raise InputError(f"{path} has no points; copy it again")
    return vertices


def _column(path: Path, vertices: NDArray[Any], names: Sequence[str]) -> NDArray[np.float64]:
    """Return the property with one of the names, as numbers to calculate with."""
    return np.asarray(_stored(path, vertices, names), dtype=np.float64)


def _stored(path: Path, vertices: NDArray[Any], names: Sequence[str]) -> NDArray[Any]:
    """Return the property with one of the names, in the type of the file."""
    known = vertices.dtype.names or ()
    for name in names:
        if name in known:
            return np.asarray(vertices[name])
    raise InputError(f"{path} has no property {names[0]!r}; it has {', '.join(known)}")
