"""Conversion of the categories of ShapeNetPart, or of own data in its layout, to shape sets."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from downstream.releases.file_names import left_out_lines, others_in
from downstream.releases.shapenetpart.categories import CATEGORY_NAMES, SYNSETS
from downstream.releases.shapenetpart.category_parts import Category, categories_of
from downstream.releases.shapenetpart.layout import (
    find_categories,
    is_official,
    is_shape_file,
    read_categories,
    read_lists,
)
from downstream.releases.shapenetpart.text import read_shape
from downstream.shapes.conversion import (
    ConvertedShapeSet,
    ShapeConversion,
    convert_categories,
    make_shape_set,
)
from downstream.shapes.shape_set import Shape, ShapeSetInfo
from downstream.shapes.writer import LeftOut
from pointcontrast.errors import InputError
from pointcontrast.preparation.scene_conversion import source_fingerprint
from pointcontrast.preparation.workers import THIS_PROCESS, Workers

_RECIPE = 1  # increased when the same files would give other shapes


def convert_category(category: Category, output: Path) -> ConvertedShapeSet:
    """Convert a category, unless it is finished. A shape that cannot be read is left out.

    Args:
        category: The category.
        output: Folder of the shape sets. The set is written to ``output/<synset>``, atomically.

    Raises:
        InputError: No shape can be read, or the folder has other content.
    """
    files = category.files
    paths = [path for shape_id in files.listed for path in files.paths(shape_id)]
    whole = [path for path in paths if not path.is_dir()]  # a folder fails its shape alone
    settings = {"recipe": _RECIPE, "files": source_fingerprint(whole)}
    if category.category_names != CATEGORY_NAMES:
        settings["parts"] = list(category.parts.numbers)
    info = ShapeSetInfo(
        category=category.row,
        category_names=category.category_names,
        part_names=category.part_names,
        up_axis="y",
        source={"dataset": "ShapeNetPart (v0, with normals)", "synset": files.synset},
        settings=settings,
    )
    return make_shape_set(output, files.synset, info, lambda: _read(category), complete=True)


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
    names = read_categories(release)
    lists = read_lists(release, names)
    root = output.absolute()
    found = find_categories(release.absolute(), names, lists)
    categories, notes = categories_of(names, found)
    tasks = {each.files.synset: (each, root) for each in categories}
    unlisted = [path for files in found for path in files.unlisted()]
    proper = [path for path in unlisted if is_shape_file(path)]
    strange = sorted({*unlisted} - {*proper})
    left_out = left_out_lines(release.absolute(), strange, "<id>.txt")
    folders = others_in(release.absolute(), lambda path: not _is_like_a_category(path, names))
    left_out += left_out_lines(release.absolute(), folders, "that of a category")
    return convert_categories(
        convert_category,
        tasks,
        root,
        lists.shapes,
        len(proper),
        workers,
        num_categories=len(SYNSETS) if is_official(names) else len(names),
        notes=[*lists.notes, *notes, *left_out],
        complete=True,
    )


def _is_like_a_category(path: Path, synsets: Collection[str]) -> bool:
    """Return whether a name is that of a category with more text, such as ``03797390 (copy)``."""
    return path.name not in synsets and any(path.name.startswith(each) for each in synsets)


def _read(category: Category) -> Iterator[Shape | LeftOut]:
    files = category.files
    for shape_id, listed_in in files.listed.items():
        paths = files.paths(shape_id)
        absent = next((path for path in paths if not path.exists()), None)
        try:
            if absent is not None:
                raise InputError(
                    f"{absent} does not exist, but {listed_in} lists it; copy the release again"
                )
            shape = read_shape(paths, category.parts, category.num_columns)
            yield Shape(id=shape_id, **shape.arrays())
        except InputError as error:
            yield LeftOut(shape_id, str(error))
