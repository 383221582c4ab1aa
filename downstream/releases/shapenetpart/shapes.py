"""Conversion of the categories of ShapeNetPart to shape sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from downstream.releases.shapenetpart.categories import (
    CATEGORY_NAMES,
    PART_NAMES,
    PARTS_OF_CATEGORY,
    SYNSETS,
)
from downstream.releases.shapenetpart.layout import CategoryFiles, find_categories, read_lists
from downstream.releases.shapenetpart.text import read_shape
from downstream.shapes.conversion import (
    ConvertedShapeSet,
    ShapeConversion,
    convert_categories,
    make_shape_set,
)
from downstream.shapes.shape_set import Shape, ShapeSetInfo
from pointcontrast.errors import InputError
from pointcontrast.preparation.scene_conversion import fingerprint
from pointcontrast.preparation.workers import THIS_PROCESS, Workers

_RECIPE = 1  # increased when the same files would give other shapes


def convert_category(files: CategoryFiles, output: Path) -> ConvertedShapeSet:
    """Convert a category, unless it is finished.

    Args:
        files: Files of the category.
        output: Folder of the shape sets. The set is written to ``output/<synset>``, atomically.

    Raises:
        InputError: A listed shape is missing or wrong.
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
    release: Path, output: Path, workers: Workers = THIS_PROCESS
) -> ShapeConversion:
    """Convert all categories of a release, and write ``splits.json``.

    Args:
        release: Folder with ``synsetoffset2category.txt``.
        output: Folder of the shape sets.
        workers: Worker processes.

    Raises:
        InputError: The lists are missing or wrong, or there is no category.
    """
    lists = read_lists(release)
    root = output.absolute()
    categories = find_categories(release.absolute(), lists)
    tasks = {files.synset: (files, root) for files in categories}
    num_unlisted = sum(files.num_unlisted() for files in categories)
    return convert_categories(convert_category, tasks, root, lists, num_unlisted, workers)


def _read(files: CategoryFiles, parts: range) -> Iterator[Shape]:
    for shape_id, listed_in in files.listed.items():
        path = files.path(shape_id)
        if not path.exists():
            raise InputError(
                f"{path} does not exist, but {listed_in} lists it; copy the release again"
            )
        yield read_shape(path, parts)
