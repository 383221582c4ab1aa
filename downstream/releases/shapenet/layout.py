"""Files and folders of ShapeNetCore, and the official split.

A model is ``<synset>/<model>/model.obj`` in v1 and ``<synset>/<model>/models/model_normalized.obj``
in v2. The split of both is ``all.csv``, made for SHREC16: columns ``id, synsetId, subSynsetId,
modelId, split``, where ``split`` is train, val or test and the synset has lost its leading zeros.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from downstream.releases.file_names import in_any_case, left_out_lines, others_in
from downstream.releases.shapenet.categories import SYNSETS
from pointcontrast.errors import InputError

SPLIT_FILE = "all.csv"
MODEL_FILES = ("models/model_normalized.obj", "model.obj")
"""Mesh files of v2 and v1, below the folder of a model."""

_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_COLUMNS = ("synsetId", "modelId", "split")
_MODEL_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True)
class CategoryModels:
    """Models of a category.

    Attributes:
        folder: Folder ``<release>/<synset>``.
        listed: Ids in the split file, sorted.
    """

    folder: Path
    listed: tuple[str, ...]

    @property
    def synset(self) -> str:
        """Synset, the name of the folder."""
        return self.folder.name

    def path(self, model_id: str) -> Path | None:
        """Return the path of a model's mesh, that of v2 if there are two; None if there is none."""
        paths = (in_any_case(self.folder / model_id / file) for file in MODEL_FILES)
        return next((path for path in paths if path.is_file()), None)

    def num_unlisted(self) -> int:
        """Count the models of the folder that are not in the split file."""
        listed = set(self.listed)
        return sum(is_model(path) and path.name not in listed for path in self.folder.iterdir())


def is_model(path: Path) -> bool:
    """Return whether a name is that of a model."""
    return _MODEL_ID.fullmatch(path.name) is not None


def names_left_out(release: Path, found: Collection[CategoryModels]) -> list[str]:
    """Return lines that list names that are neither synsets nor models."""
    synsets = {each.synset for each in found}
    others = others_in(
        release,
        lambda path: path.name in synsets or not any(map(path.name.startswith, synsets)),
    )
    lines = left_out_lines(release, others, "that of a synset")
    for each in found:
        lines += left_out_lines(release, others_in(each.folder, is_model), "<model id>")
    return lines


def read_split_file(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Read ``all.csv``, or a file with the same columns.

    Returns:
        Split ("train", "validation", "test") -> (synset, model id), without repetitions.

    Raises:
        InputError: The file is missing or lacks a column, a line is not a model of the 55
            categories, or a model is in two splits.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; it is SHREC16's split, a separate download: give it with "
            "--split-file, or a split of your own with the columns synsetId, modelId, split"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table of text ({error}); download it again") from None
    if not rows or any(column not in rows[0] for column in _COLUMNS):
        raise InputError(f"{path} has no lines with the columns {', '.join(_COLUMNS)}")
    split_of: dict[tuple[str, str], str] = {}
    for number, row in enumerate(rows, start=2):
        synset, model_id, word = ((row[column] or "").strip() for column in _COLUMNS)
        model = (synset.zfill(8), model_id)
        if model[0] not in SYNSETS or not _MODEL_ID.fullmatch(model_id) or word not in _SPLITS:
            raise InputError(
                f"{path}, line {number}: synset {synset!r}, model {model_id!r}, split {word!r}: "
                "not a model of one of the 55 categories in train, val or test"
            )
        if split_of.setdefault(model, _SPLITS[word]) != _SPLITS[word]:
            raise InputError(
                f"{path}, line {number}: {model[0]}/{model_id} is in {split_of[model]} too; "
                "remove one of the two lines"
            )
    return {
        split: [model for model, its_split in split_of.items() if its_split == split]
        for split in _SPLITS.values()
    }


def find_categories(
    release: Path, splits: Mapping[str, list[tuple[str, str]]]
) -> list[CategoryModels]:
    """Find the categories whose folders exist, those with the most models first.

    Args:
        release: Folder of the release.
        splits: Splits of :func:`read_split_file`.

    Raises:
        InputError: ``release`` does not exist or has no category of the splits.
    """
    if not release.is_dir():
        raise InputError(f"{release} is not a folder; give the folder of ShapeNetCore")
    listed: dict[str, list[str]] = {}
    for models in splits.values():
        for synset, model_id in models:
            listed.setdefault(synset, []).append(model_id)
    found = [
        CategoryModels(release / synset, tuple(sorted(ids)))
        for synset, ids in sorted(listed.items())
        if (release / synset).is_dir()
    ]
    if not found:
        raise InputError(
            f"{release} holds no category that the split file names; it must have folders such as "
            f"{SYNSETS[0]}, unpacked"
        )
    return sorted(found, key=lambda each: -len(each.listed))
