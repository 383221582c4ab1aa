"""One category of ShapeNetPart as one shape set, and all categories of a release."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from downstream.releases.shapenetpart.categories import (
    CATEGORY_NAMES,
    PART_NAMES,
    PARTS_OF_CATEGORY,
    SYNSETS,
)
from downstream.releases.shapenetpart.layout import CategoryFiles, find_categories, read_lists
from downstream.releases.shapenetpart.text import read_shape
from downstream.shapes.conversion import ConvertedShapeSet, make_shape_set, write_finished_splits
from downstream.shapes.shape_set import Shape, ShapeSetInfo
from pointcontrast.errors import InputError
from pointcontrast.preparation.scene_conversion import convert_all, fingerprint

_RECIPE = 1  # raised when the code comes to make other shapes from the same files


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What became of a release.

    Attributes:
        finished: categories, those with the most shapes first.
        failures: synset -> reason.
        num_unlisted: files that no split list names: passed over.
    """

    finished: list[ConvertedShapeSet]
    failures: dict[str, str]
    num_unlisted: int


def convert_category(files: CategoryFiles, output: Path) -> ConvertedShapeSet:
    """Make the shape set of one category, unless it is there already.

    Args:
        files: the category.
        output: the set becomes ``output/<synset>``, whole or not at all.

    Raises:
        InputError: a shape that a list names is missing or wrong; the message names it.
    """
    row = SYNSETS.index(files.synset)
    paths = [files.path(shape_id) for shape_id in files.listed]
    info = ShapeSetInfo(
        category=row,
        category_names=CATEGORY_NAMES,
        part_names=PART_NAMES,
        up_axis="y",
        source={"dataset": "ShapeNetPart (v0, with normals)", "synset": files.synset},
        settings={"recipe": _RECIPE, "files": fingerprint(paths)},
    )
    return make_shape_set(output, files.synset, info, lambda: _read(files, PARTS_OF_CATEGORY[row]))


def convert_release(
    release: Path,
    output: Path,
    *,
    num_workers: int | None = 1,
    scheduler: str | None = None,
    memory_limit: str = "auto",
    progress: bool = False,
) -> Conversion:
    """Make the shape sets of all categories that are there, and ``splits.json``.

    Args:
        release: the folder with ``synsetoffset2category.txt``.
        output: folder of the shape sets.
        num_workers: processes, a category at a time each; None is one a core.
        scheduler: address of a Dask scheduler to use instead.
        memory_limit: of each process.
        progress: show a progress bar.

    Raises:
        InputError: the lists are missing or wrong, or no category is there.
    """
    lists = read_lists(release)
    root = Path(os.path.abspath(output))  # workers elsewhere have other working folders
    categories = find_categories(Path(os.path.abspath(release)), lists)
    finished, failures = convert_all(
        _convert,
        {files.synset: (files, root) for files in categories},
        num_workers=num_workers,
        scheduler=scheduler,
        memory_limit=memory_limit,
        progress=progress,
        unit="category",
    )
    names = {
        split: [f"{synset}/{shape_id}" for synset, shape_id in shapes]
        for split, shapes in lists.items()
    }
    write_finished_splits(root, finished, names)
    num_unlisted = sum(files.num_unlisted() for files in categories)
    return Conversion(finished=finished, failures=failures, num_unlisted=num_unlisted)


def _convert(task: tuple[CategoryFiles, Path]) -> ConvertedShapeSet:
    return convert_category(*task)


def _read(files: CategoryFiles, parts: range) -> Iterator[Shape]:
    for shape_id, listed_in in files.listed.items():
        path = files.path(shape_id)
        if not path.exists():
            raise InputError(
                f"{path} does not exist, but {listed_in} lists it; copy the release again"
            )
        yield read_shape(path, parts)
