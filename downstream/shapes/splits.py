"""Splits of a folder of shape sets, ``splits.json``: split -> ``<folder>/<id>``.

A shape may be in two splits, as 35 of ShapeNetPart are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from downstream.shapes.checks import read_meta
from downstream.shapes.shape_set import find_shape_sets
from pointcontrast.errors import InputError
from pointcontrast.files import read_json, write_json

SPLITS_FILE = "splits.json"
SPLITS = ("train", "validation", "test")


def write_splits(root: Path, splits: Mapping[str, Sequence[str]]) -> None:
    """Write ``splits.json`` of a folder of shape sets.

    Args:
        root: The folder.
        splits: Split, one of ``SPLITS`` -> names ``<folder>/<id>``. A missing split is empty.

    Raises:
        InputError: A split is unknown, or a shape is listed twice in a split or in no set.
    """
    _check_splits(root, splits)
    names = {split: sorted(splits.get(split, ())) for split in SPLITS}
    write_json(root / SPLITS_FILE, names)


def read_splits(root: Path) -> dict[str, tuple[str, ...]]:
    """Read ``splits.json`` of a folder of shape sets.

    Returns:
        Each of ``SPLITS`` -> names ``<folder>/<id>``, sorted; some may be empty.

    Raises:
        InputError: The file is missing or damaged, or names a shape that is in no set.
    """
    file = root / SPLITS_FILE
    if not file.exists():
        raise InputError(
            f"{file} does not exist; run the dataset's script in datasets/ again until it ends; "
            "finished categories are kept"
        )
    splits = read_json(file)
    if not isinstance(splits, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in splits.values()
    ):
        raise InputError(f"{file} is damaged: it has no lists of names; convert the release again")
    _check_splits(root, splits)
    return {split: tuple(splits.get(split, ())) for split in SPLITS}


def _check_splits(root: Path, splits: Mapping[str, Sequence[str]]) -> None:
    where = root / SPLITS_FILE
    unknown = [split for split in splits if split not in SPLITS]
    if unknown:
        raise InputError(f"{where}: unknown split {unknown[0]!r}, not one of {list(SPLITS)}")
    held = {
        f"{folder.name}/{shape_id}"
        for folder in find_shape_sets(root)
        for shape_id in read_meta(folder)["ids"]
    }
    for split, names in splits.items():
        seen: set[str] = set()
        for name in names:
            if name not in held:
                raise InputError(
                    f"{where}: {split} lists {name!r}, which no shape set holds; convert the "
                    "release again"
                )
            if name in seen:
                raise InputError(f"{where}: {split} lists {name!r} twice")
            seen.add(name)
