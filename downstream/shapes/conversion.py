"""Conversion of a raw release to shape sets, shared by both converters.

One task per category. Categories finished with the same settings are kept. A category that fails
does not stop the others. A folder with other content is never replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from downstream.shapes.shape_set import Shape, ShapeSet, ShapeSetInfo, read_shape_set
from downstream.shapes.splits import write_splits
from downstream.shapes.writer import LeftOut, write_shape_set
from pointcontrast.errors import InputError
from pointcontrast.files import sweep_leftovers
from pointcontrast.preparation.scene_conversion import convert_all, refuse_foreign
from pointcontrast.preparation.workers import THIS_PROCESS, Workers
from pointcontrast.recordings.fingerprint import is_same_source


@dataclass(frozen=True, kw_only=True)
class ConvertedShapeSet:
    """Summary of a finished category.

    Attributes:
        name: Name of the folder below the output.
        num_shapes: Number of shapes.
        num_points: Number of points of all shapes.
        num_bytes: Size on disk, bytes.
        reused: Whether it was finished before with the same settings.
        left_out: Id -> reason, for the shapes that could not be used.
    """

    name: str
    num_shapes: int
    num_points: int
    num_bytes: int
    reused: bool
    left_out: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ShapeConversion:
    """Summary of a converted release.

    Attributes:
        finished: Finished categories, those with the most shapes first.
        failures: Failed categories, synset -> reason.
        num_unlisted: Number of shapes on disk that are in no split; they are skipped.
        num_categories: Number of categories in the full release.
        notes: Irregularities of the release as a whole.
        complete: Whether each listed shape should have been usable, so that one that was left out
            is a failure.
    """

    finished: list[ConvertedShapeSet]
    failures: dict[str, str]
    num_unlisted: int
    num_categories: int
    notes: tuple[str, ...] = ()
    complete: bool = False


def make_shape_set(
    output: Path,
    name: str,
    info: ShapeSetInfo,
    read: Callable[[], Iterable[Shape | LeftOut]],
    *,
    complete: bool = False,
) -> ConvertedShapeSet:
    """Write a shape set, unless it exists with the same settings.

    Args:
        output: Folder of the shape sets. The set is written to ``output/name``, atomically.
        name: Name of the set.
        info: Description of the set, with its settings.
        read: Function that starts reading the shapes from the raw files.
        complete: Whether a finished set with shapes left out is made again: they may have been
            repaired.

    Raises:
        InputError: The raw files are wrong, or the folder has other content.
    """
    folder = output / name
    finished = _finished(folder, info)
    if finished is not None and complete and finished.left_out:
        finished = None
    if finished is None:
        refuse_foreign(folder)
        sweep_leftovers([folder])
        write_shape_set(folder, read(), info)
    shapes = finished or read_shape_set(folder)
    return ConvertedShapeSet(
        name=name,
        num_shapes=len(shapes),
        num_points=len(shapes.coord),
        num_bytes=sum(path.stat().st_size for path in folder.iterdir()),
        reused=finished is not None,
        left_out=dict(shapes.left_out),
    )


def convert_categories(
    convert: Callable[..., ConvertedShapeSet],
    tasks: Mapping[str, tuple[Any, ...]],
    output: Path,
    splits: Mapping[str, Sequence[tuple[str, str]]],
    num_unlisted: int,
    workers: Workers = THIS_PROCESS,
    *,
    num_categories: int,
    notes: Sequence[str] = (),
    complete: bool = False,
) -> ShapeConversion:
    """Convert categories in parallel, and write ``splits.json``.

    Args:
        convert: Function that converts one category; picklable by name.
        tasks: Synset -> arguments of ``convert``; paths are absolute.
        output: Folder of the shape sets.
        splits: Split -> (synset, shape id) of the release. Shapes that no set holds are left out
            of ``splits.json``.
        num_unlisted: Number of shapes on disk that are in no split.
        workers: Worker processes.
        num_categories: Number of categories in the full release.
        notes: Irregularities of the release as a whole.
        complete: See :class:`ShapeConversion`.
    """
    finished, failures = convert_all(convert, tasks, workers, unit="category")
    held = {each.name: set(read_shape_set(output / each.name).ids) for each in finished}
    if finished:
        names = {
            split: [
                f"{synset}/{shape}" for synset, shape in shapes if shape in held.get(synset, ())
            ]
            for split, shapes in splits.items()
        }
        write_splits(output, names)
    return ShapeConversion(
        finished=finished,
        failures=failures,
        num_unlisted=num_unlisted,
        num_categories=num_categories,
        notes=tuple(notes),
        complete=complete,
    )


def _finished(folder: Path, info: ShapeSetInfo) -> ShapeSet | None:
    """Read the set in ``folder`` if it is complete and has these settings."""
    try:
        shapes = read_shape_set(folder)
    except InputError:
        return None  # damaged or no set: write it again
    stored, wanted = dict(shapes.settings), dict(info.settings)
    same = is_same_source(stored.get("files"), str(wanted.get("files")))
    same = same and stored | {"files": None} == wanted | {"files": None}
    return shapes if same and shapes.category_names == info.category_names else None
