"""Categories of a release with the numbers of their parts: the benchmark's 16, or own ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from downstream.releases.shapenetpart.categories import (
    CATEGORY_NAMES,
    PART_NAMES,
    PARTS_OF_CATEGORY,
    SYNSETS,
)
from downstream.releases.shapenetpart.layout import CATEGORY_FILE, CategoryFiles, is_official
from downstream.releases.shapenetpart.text import (
    FORMS,
    PartNumbers,
    count_columns,
    read_part_numbers,
)
from pointcontrast.errors import InputError

_MOST_PARTS = 64
"""Largest number of parts of a category; more different numbers are not numbers of parts."""

_NUM_PROBED = 25  # shapes whose first lines tell the form of a category


@dataclass(frozen=True)
class Category:
    """Category of a release.

    Attributes:
        files: Its files.
        row: Its row of ``category_names``.
        category_names: Names of all categories.
        part_names: Names of the parts of all categories.
        parts: Numbers of its parts.
        num_columns: Number of columns of its files, a key of ``FORMS``.
    """

    files: CategoryFiles
    row: int
    category_names: tuple[str, ...]
    part_names: tuple[str, ...]
    parts: PartNumbers
    num_columns: int


def categories_of(
    names: Mapping[str, str], found: Sequence[CategoryFiles]
) -> tuple[list[Category], list[str]]:
    """Describe the categories of a release, those with the most shapes first.

    Categories other than the benchmark's 16 are own data: their parts are the numbers that occur in
    their files, in ascending order.

    Args:
        names: Synset -> name of each category of the release.
        found: Files of the categories that are there.

    Returns:
        Categories, and notes on what differs from the release with normals.

    Raises:
        InputError: A last column does not number parts, or no shape can be read.
    """
    forms = {files.synset: _num_columns(files) for files in found}
    notes = _notes_on_normals(found, forms)
    if is_official(names):
        return [_official(files, forms[files.synset]) for files in found], notes
    categories, own = _own_categories(names, found, forms)
    return categories, [*notes, *own]


def _official(files: CategoryFiles, num_columns: int) -> Category:
    row = SYNSETS.index(files.synset)
    parts = PARTS_OF_CATEGORY[row]
    # without normals, files of labels count the parts of each category from 1
    numbers = range(1, len(parts) + 1) if files.labels_apart else parts
    return Category(
        files, row, CATEGORY_NAMES, PART_NAMES, PartNumbers(tuple(numbers), parts.start),
        num_columns,
    )  # fmt: skip


def _own_categories(
    names: Mapping[str, str], found: Sequence[CategoryFiles], forms: Mapping[str, int]
) -> tuple[list[Category], list[str]]:
    """Return categories with the parts that occur in their files, and notes that say them."""
    ordered = sorted(found, key=lambda files: list(names).index(files.synset))
    numbers = {files.synset: _part_numbers(files) for files in ordered}
    if not any(numbers.values()):
        raise InputError(f"{found[0].folder} and the other categories have no shape to read")
    category_names = tuple(names[files.synset] for files in ordered)
    part_names = tuple(
        f"{names[files.synset]} {number}" for files in ordered for number in numbers[files.synset]
    )
    firsts = [0, *accumulate(len(numbers[files.synset]) for files in ordered)]
    notes = [
        f"{CATEGORY_FILE} names other categories than the benchmark's 16: the parts of each are "
        "the numbers in its files",
        *(
            f"{names[files.synset]}: parts {PartNumbers(numbers[files.synset], 0)}"
            for files in ordered
        ),
    ]
    categories = [
        Category(
            files, row, category_names, part_names,
            PartNumbers(numbers[files.synset], firsts[row]), forms[files.synset],
        )
        for row, files in enumerate(ordered)
    ]  # fmt: skip
    return sorted(categories, key=lambda each: -len(each.files.listed)), notes


def _part_numbers(files: CategoryFiles) -> tuple[int, ...]:
    """Return the numbers of parts in the files of a category; files that are wrong do not count."""
    numbers: set[float] = set()
    for shape_id in files.listed:
        try:
            numbers.update(read_part_numbers(files.paths(shape_id)).tolist())
        except InputError:
            continue  # named when the shape is read
    whole = sorted(int(number) for number in numbers if number >= 0 and number % 1 == 0)
    if len(whole) > _MOST_PARTS:
        raise InputError(
            f"{files.folder} has {len(whole)} different parts: the last column must number the "
            f"parts of the category, at most {_MOST_PARTS}"
        )
    return tuple(whole)


def _num_columns(files: CategoryFiles) -> int:
    """Return the number of columns of most shapes of a category, a key of ``FORMS``."""
    probed = list(files.listed)[:_NUM_PROBED]
    counts = Counter(count_columns(files.paths(shape_id)) for shape_id in probed)
    (commonest, _), *_ = counts.most_common(1)
    return commonest if commonest in FORMS else 7


def _notes_on_normals(found: Sequence[CategoryFiles], forms: Mapping[str, int]) -> list[str]:
    without = [files.synset for files in found if files.labels_apart or forms[files.synset] == 4]
    if not without:
        return []
    return [
        f"the files of {', '.join(without)} have no normals: shapes have none, and training must "
        "not ask for them (data.features)"
    ]
