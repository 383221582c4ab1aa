"""Files and folders of ShapeNetPart, with normals or without, and of own data in its layout.

``synsetoffset2category.txt`` names the folders. A shape is ``<synset>/<id>.txt``
(``shapenetcore_partanno_segmentation_benchmark_v0_normal``), or ``<synset>/points/<id>.pts`` with
``<synset>/points_label/<id>.seg`` (``..._v0``, without normals).
``train_test_split/shuffled_{train,val,test}_file_list.json`` lists ``shape_data/<synset>/<id>``.

The official lists have 12,137, 1,870 and 2,874 names of 16,846 shapes: 9 shapes are in train and
validation, 23 in train and test, 3 in validation and test. The field's loader tests each file
against the set of each list (charlesq34/pointnet2 ``part_seg/part_dataset_all_normal.py``), so that
such a shape is in both splits; published figures are of 13,998 shapes for training and 2,874 for
testing. The splits here are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path

from downstream.releases.file_names import in_any_case
from downstream.releases.shapenetpart.categories import CATEGORY_NAMES, SYNSETS
from pointcontrast.errors import InputError
from pointcontrast.files import read_json

CATEGORY_FILE = "synsetoffset2category.txt"
LISTS: dict[str, str] = {
    "train": "train_test_split/shuffled_train_file_list.json",
    "validation": "train_test_split/shuffled_val_file_list.json",
    "test": "train_test_split/shuffled_test_file_list.json",
}
"""Split -> file that lists its shapes."""

_SYNSET = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ID = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_ENTRY = re.compile(rf"shape_data/(?P<synset>[^/]+)/(?P<id>{_ID})", re.ASCII)
_SHAPE_FILE = re.compile(rf"{_ID}\.(txt|pts)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class CategoryFiles:
    """Shapes of a category.

    Attributes:
        folder: Folder ``<release>/<synset>``.
        listed: Id -> list that names it, a value of ``LISTS``; sorted by id.
    """

    folder: Path
    listed: Mapping[str, str]

    @property
    def synset(self) -> str:
        """Synset, the name of the folder."""
        return self.folder.name

    @property
    def labels_apart(self) -> bool:
        """Whether points and labels are separate files, ``points/`` and ``points_label/``."""
        return (self.folder / "points").is_dir()

    def paths(self, shape_id: str) -> tuple[Path, ...]:
        """Return the file of a shape, or its files of points and of labels."""
        if not self.labels_apart:
            return (self._path(f"{shape_id}.txt"),)
        return self._path(f"points/{shape_id}.pts"), self._path(f"points_label/{shape_id}.seg")

    def _path(self, name: str) -> Path:
        """Return the path of a file, whose name may differ in case."""
        return self._files.get(name.casefold(), self.folder / name)

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Files of the folder and of its two subfolders by their names in lower case."""
        folders = [self.folder, self.folder / "points", self.folder / "points_label"]
        return {
            path.relative_to(self.folder).as_posix().casefold(): path
            for folder in folders
            if folder.is_dir()
            for path in sorted(folder.iterdir(), key=lambda path: path.name.swapcase())
        }

    def unlisted(self) -> list[Path]:
        """Return the files of the folder that are in no list, sorted."""
        folder = self.folder / "points" if self.labels_apart else self.folder
        used = {path for shape_id in self.listed for path in self.paths(shape_id)}
        return sorted(path for path in folder.iterdir() if path.is_file() and path not in used)


def is_shape_file(path: Path) -> bool:
    """Return whether a name is that of a shape's points."""
    return _SHAPE_FILE.fullmatch(path.name) is not None


@dataclass(frozen=True)
class SplitLists:
    """Shapes of each split.

    Attributes:
        shapes: Split -> (synset, id), without repetitions.
        notes: Shapes that are in two splits, and entries that are left out.
    """

    shapes: Mapping[str, list[tuple[str, str]]]
    notes: tuple[str, ...] = field(default=())


def read_categories(release: Path) -> dict[str, str]:
    """Read the folders and names of the categories.

    Returns:
        Synset -> name, in the benchmark's order for its own categories, else in that of the file.

    Raises:
        InputError: The file is missing or empty, a line is not a name and a synset, or either
            occurs twice.
    """
    path = in_any_case(release / CATEGORY_FILE)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give the folder of the release"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; copy it from the release again") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or not _SYNSET.fullmatch(words[1]):
            raise InputError(
                f"{path}, line {number}: {line!r} is not the name of a category and its folder, "
                f"such as '{CATEGORY_NAMES[0]}\\t{SYNSETS[0]}'"
            )
        if words[1] in found or words[0] in found.values():
            raise InputError(f"{path}, line {number}: {line!r} names a category twice")
        found[words[1]] = words[0]
    if not found:
        raise InputError(f"{path} names no category")
    if is_official(found):
        return {synset: found[synset] for synset in SYNSETS if synset in found}
    return found


def is_official(categories: Mapping[str, str]) -> bool:
    """Return whether all categories, synset -> name, are among the 16 of the benchmark."""
    official = dict(zip(SYNSETS, CATEGORY_NAMES, strict=True))
    return categories.items() <= official.items()


def read_lists(release: Path, categories: Mapping[str, str]) -> SplitLists:
    """Read the split lists.

    A shape is in each split whose list names it; a note says which splits share shapes.

    Args:
        release: Folder of the release.
        categories: Categories of :func:`read_categories`.

    Raises:
        InputError: A list is missing or not a list of shapes, or an entry is not a shape of one of
            the categories.
    """
    # the benchmark's lists name all 16 categories, also where only some are there
    known = {*categories, *(SYNSETS if is_official(categories) else ())}
    shapes: dict[str, list[tuple[str, str]]] = {}
    for split, file in LISTS.items():
        path = release / file
        entries = read_json(path)
        if not isinstance(entries, list):
            raise InputError(f"{path} is not a list of shapes; copy it from the release again")
        shapes[split] = []
        for entry in dict.fromkeys(map(str, entries)):
            match = _ENTRY.fullmatch(entry)
            if match is None or match["synset"] not in known:
                raise InputError(
                    f"{path}: {entry!r} is not shape_data/<synset>/<id> with one of the "
                    f"{len(known)} synsets of {CATEGORY_FILE}"
                )
            shapes[split].append((match["synset"], match["id"]))
    shared = {
        f"{first} and {second}": len(set(shapes[first]) & set(shapes[second]))
        for first, second in combinations(LISTS, 2)
    }
    listed = ", ".join(f"{count} in {pair}" for pair, count in shared.items() if count)
    if not listed:
        return SplitLists(shapes)
    note = (
        f"the lists name shapes in two splits ({listed}); each is in both, as in PointNet++'s "
        "loader. The official lists have 9 in train and validation, 23 in train and test, 3 in "
        "validation and test"
    )
    return SplitLists(shapes, (note,))


def find_categories(
    release: Path, categories: Mapping[str, str], lists: SplitLists
) -> list[CategoryFiles]:
    """Find the categories whose folders exist, those with the most shapes first.

    Args:
        release: Folder of the release.
        categories: Categories of :func:`read_categories`.
        lists: Split lists.

    Raises:
        InputError: ``release`` does not exist or has no category.
    """
    listed: dict[str, dict[str, str]] = {synset: {} for synset in categories}
    for split, shapes in lists.shapes.items():
        for synset, shape_id in shapes:
            if synset in listed:
                listed[synset].setdefault(shape_id, LISTS[split])
    found = [
        CategoryFiles(release / synset, dict(sorted(ids.items())))
        for synset, ids in listed.items()
        if ids and (release / synset).is_dir()
    ]
    if not found:
        raise InputError(
            f"{release} holds no category that its lists name; it must have folders such as "
            f"{next(iter(categories))}"
        )
    return sorted(found, key=lambda each: -len(each.listed))
