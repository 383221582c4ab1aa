"""From a raw release to shape sets: what both converters do around their own readers.

One task a category. A category that is finished with the same settings is kept, one that fails
does not stop the others, and a folder that holds anything else is never replaced.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from downstream.shapes.shape_set import (
    Shape,
    ShapeSet,
    ShapeSetInfo,
    find_shape_sets,
    problems_of_shape_set,
    read_shape_set,
    read_splits,
    write_splits,
)
from downstream.shapes.writer import LeftOut, write_shape_set
from pointcontrast.errors import InputError
from pointcontrast.files import sweep_leftovers
from pointcontrast.preparation.conversion_cli import Commands, report_failures, speed_and_memory
from pointcontrast.preparation.scene_conversion import refuse_foreign

_NUM_NAMED = 5  # shapes of a category whose reasons are printed; meta.json has all


@dataclass(frozen=True, kw_only=True)
class ConvertedShapeSet:
    """What became of one category that is finished.

    Attributes:
        name: of the folder below the output.
        num_shapes: S.
        num_points: of all its shapes.
        num_bytes: on disk.
        reused: it was finished before with the same settings.
        left_out: id -> reason, of the shapes that could not be used.
    """

    name: str
    num_shapes: int
    num_points: int
    num_bytes: int
    reused: bool
    left_out: Mapping[str, str]


def make_shape_set(
    output: Path, name: str, info: ShapeSetInfo, read: Callable[[], Iterable[Shape | LeftOut]]
) -> ConvertedShapeSet:
    """Make one shape set, unless it is there already.

    Args:
        output: the set becomes ``output/name``, whole or not at all.
        name: of the set.
        info: what is true of it; a set with the same settings is kept.
        read: begins to read the shapes from the raw files.

    Raises:
        InputError: the raw files are wrong, or the folder holds something else.
    """
    folder = output / name
    finished = _finished(folder, info)
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


def write_finished_splits(
    output: Path, finished: Sequence[ConvertedShapeSet], splits: Mapping[str, Iterable[str]]
) -> None:
    """Write ``splits.json``: of each split the shapes that there are.

    Args:
        output: folder of the shape sets.
        finished: the categories that are there; nothing is written without any.
        splits: split -> names ``<folder>/<id>`` of the release.
    """
    held = {
        f"{each.name}/{shape_id}"
        for each in finished
        for shape_id in read_shape_set(output / each.name).ids
    }
    if finished:
        write_splits(
            output,
            {split: [name for name in names if name in held] for split, names in splits.items()},
        )


def report_shape_sets(
    finished: Sequence[ConvertedShapeSet],
    failures: dict[str, str],
    output: Path,
    started: float,
) -> int:
    """Say what was converted and what was left out or failed.

    Args:
        finished: categories.
        failures: category -> reason.
        output: folder of the shape sets.
        started: what ``time.perf_counter`` said at the beginning.

    Returns:
        The exit status: 1 if a category failed.
    """
    seconds = time.perf_counter() - started
    for each in finished:
        for shape_id, reason in list(each.left_out.items())[:_NUM_NAMED]:
            print(f"left out: {each.name}/{shape_id}: {reason}")
        if len(each.left_out) > _NUM_NAMED:
            more = len(each.left_out) - _NUM_NAMED
            print(f"left out: {more} more of {each.name}: see its meta.json")
    made = sum(each.num_points for each in finished if not each.reused)
    print(
        f"{len(finished)} categories ({sum(each.reused for each in finished)} finished before), "
        f"{sum(each.num_shapes for each in finished):,} shapes "
        f"({sum(len(each.left_out) for each in finished):,} left out), "
        f"{sum(each.num_points for each in finished):,} points, "
        f"{sum(each.num_bytes for each in finished) / 1e6:.1f} MB in {output}"
    )
    if made:
        print(speed_and_memory(made, seconds))
    return report_failures(failures)


def add_shape_verify(commands: Commands) -> None:
    """Add ``verify``, which reads every byte of shape sets and holds the splits against them."""
    verify = commands.add("verify", "check every byte of shape sets", _verify)
    verify.add_argument("shapes", type=Path, help="folder of shape sets")


def _verify(arguments: Namespace) -> int:
    root: Path = arguments.shapes
    folders = find_shape_sets(root)
    found = {folder.name: problems_of_shape_set(folder) for folder in folders}
    print(f"{sum(not each for each in found.values())} of {len(found)} shape sets are whole")
    failures = {name: "; ".join(problems) for name, problems in found.items() if problems}
    if root not in folders:  # it holds sets and is none itself
        try:
            splits = read_splits(root)
            print(", ".join(f"{split}: {len(names):,} shapes" for split, names in splits.items()))
        except InputError as error:
            failures["splits"] = str(error)
    return report_failures(failures)


def _finished(folder: Path, info: ShapeSetInfo) -> ShapeSet | None:
    """The set in ``folder`` if it is whole and was made with these settings."""
    try:
        shapes = read_shape_set(folder)
    except InputError:
        return None  # damaged, or none: made again
    same = shapes.settings == dict(info.settings)
    return shapes if same and shapes.category_names == info.category_names else None
