"""Files and folders of ``shapenetcore_partanno_segmentation_benchmark_v0_normal``.

``synsetoffset2category.txt`` names the folders. ``<synset>/<id>.txt`` is a shape.
``train_test_split/shuffled_{train,val,test}_file_list.json`` lists ``shape_data/<synset>/<id>``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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

_ENTRY = re.compile(r"shape_data/(?P<synset>[^/]+)/(?P<id>[A-Za-z0-9_-][A-Za-z0-9._-]*)", re.ASCII)


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

    def path(self, shape_id: str) -> Path:
        """Return the path of a shape."""
        return self.folder / f"{shape_id}.txt"

    def num_unlisted(self) -> int:
        """Count the files of the folder that are in no list."""
        return sum(path.stem not in self.listed for path in self.folder.glob("*.txt"))


def read_lists(release: Path) -> dict[str, list[tuple[str, str]]]:
    """Read the split lists.

    Returns:
        Split -> (synset, id) of its shapes, without repetitions.

    Raises:
        InputError: A list is missing or not a list of shapes, a synset is not one of the 16, or a
            shape is in two lists.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    split_of: dict[tuple[str, str], str] = {}
    for split, file in LISTS.items():
        path = release / file
        entries = read_json(path)
        if not isinstance(entries, list):
            raise InputError(f"{path} is not a list of shapes; copy it from the release again")
        found[split] = []
        for entry in dict.fromkeys(map(str, entries)):
            match = _ENTRY.fullmatch(entry)
            if match is None or match["synset"] not in SYNSETS:
                raise InputError(
                    f"{path}: {entry!r} is not shape_data/<synset>/<id> with one of the 16 synsets"
                )
            shape = (match["synset"], match["id"])
            if shape in split_of:
                raise InputError(
                    f"{path}: {entry!r} is in {LISTS[split_of[shape]]} too; remove it from one"
                )
            split_of[shape] = split
            found[split].append(shape)
    return found


def find_categories(
    release: Path, lists: Mapping[str, list[tuple[str, str]]]
) -> list[CategoryFiles]:
    """Find the categories whose folders exist, those with the most shapes first.

    Args:
        release: Folder of the release.
        lists: Split lists of :func:`read_lists`.

    Raises:
        InputError: ``release`` does not exist or has no category, or its list of categories is
            missing or differs from the benchmark's.
    """
    _check_category_file(release / CATEGORY_FILE)
    listed: dict[str, dict[str, str]] = {synset: {} for synset in SYNSETS}
    for split, shapes in lists.items():
        for synset, shape_id in shapes:
            listed[synset][shape_id] = LISTS[split]
    found = [
        CategoryFiles(release / synset, dict(sorted(ids.items())))
        for synset, ids in listed.items()
        if ids and (release / synset).is_dir()
    ]
    if not found:
        raise InputError(
            f"{release} holds no category that its lists name; it must have folders such as "
            f"{SYNSETS[0]}"
        )
    return sorted(found, key=lambda each: -len(each.listed))


def _check_category_file(path: Path) -> None:
    """Check that the release gives its folders the names of the benchmark."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give the folder of the release"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; copy it from the release again") from None
    known = dict(zip(SYNSETS, CATEGORY_NAMES, strict=True))
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if words and (len(words) != 2 or known.get(words[1]) != words[0]):
            raise InputError(
                f"{path}, line {number}: {line!r} is not one of the 16 categories, such as "
                f"'{CATEGORY_NAMES[0]}\\t{SYNSETS[0]}'"
            )
