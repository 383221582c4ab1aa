"""Lists of classes: which label in the files is which class.

Forms that people have:
    * text, one name a line: labels count from 0 (``meta/s3dis_names.txt`` of charlesq34/pointnet);
    * text, ``id name`` or ``id,name`` a line;
    * JSON or YAML: a list of names, a map from label to name or from name to label, or a list of
      objects with ``id`` and ``name``; each may stand below ``classes``, ``labels`` or ``names``;
    * ``semantic-kitti.yaml`` (PRBonn/semantic-kitti-api ``config/``): ``labels``, and
      ``learning_map`` with ``learning_map_inv``, which merges labels, and ``learning_ignore``.

Several labels with one name are one class. Classes of LAS files are those of the ASPRS
specification (LAS 1.4 R15, table 17).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.text_files import read_text

UNLABELLED = frozenset(
    ["unlabelled", "unlabeled", "unclassified", "unannotated", "ignore", "ignored", "void"]
)
"""Names that mean no label, in lower case."""

ASPRS: Mapping[int, str] = {
    0: "unclassified",
    1: "unclassified",
    2: "ground",
    3: "low_vegetation",
    4: "medium_vegetation",
    5: "high_vegetation",
    6: "building",
    7: "low_noise",
    8: "model_key_point",
    9: "water",
    10: "rail",
    11: "road_surface",
    12: "overlap",
    13: "wire_guard",
    14: "wire_conductor",
    15: "transmission_tower",
    16: "wire_connector",
    17: "bridge_deck",
    18: "high_noise",
    19: "overhead_structure",
    20: "ignored_ground",
    21: "snow",
    22: "temporal_exclusion",
}
"""Classification of LAS points; 0 is never classified, 1 unclassified."""

_BELOW = ("classes", "labels", "names")
_ID_FIRST = re.compile(r"(-?\d+)\s*[\s,;:=]\s*(\S.*)")
_ID_LAST = re.compile(r"(.*\S)\s*[\t,;:=]\s*(-?\d+)")


@dataclass(frozen=True)
class ClassList:
    """Labels of files and their classes.

    Attributes:
        names: Names of the classes, in the order of their rows.
        rows: Label -> row of ``names``; -1 for labels that mean no label.
        source: Where the list is from, for messages.
        notes: What was guessed.
    """

    names: tuple[str, ...]
    rows: Mapping[int, int]
    source: str
    notes: tuple[str, ...] = field(default=(), compare=False)

    def rows_of(self, labels: NDArray[np.int32], what: str) -> NDArray[np.int32]:
        """Convert labels (N,) to rows of ``names``; -1 stays -1.

        Raises:
            InputError: A label is not listed.
        """
        found, inverse = np.unique(labels, return_inverse=True)
        unknown = [label for label in found.tolist() if label != -1 and label not in self.rows]
        if unknown:
            counts = dict(zip(found.tolist(), np.bincount(inverse).tolist(), strict=True))
            shown = ", ".join(f"{label} ({counts[label]:,} points)" for label in unknown[:8])
            numbers = " ".join(map(str, unknown[:8]))
            more = f" and {len(unknown) - 8} others" if len(unknown) > 8 else ""
            raise InputError(
                f"{what}: labels {shown}{more} are not in {self.source}; add them to it, or state "
                f"--unlabelled {numbers}"
            )
        return np.array([self.rows.get(x, -1) for x in found.tolist()], np.int32)[inverse]

    def rows_of_words(self, words: NDArray[np.str_], what: str) -> NDArray[np.int32]:
        """Convert names (N,) to rows of ``names``; empty words have none.

        Raises:
            InputError: A name is not listed.
        """
        found, inverse = np.unique(np.char.strip(words), return_inverse=True)
        rows = {name: row for row, name in enumerate(self.names)}
        rows |= {"": -1} | {word: -1 for word in found.tolist() if word.lower() in UNLABELLED}
        unknown = [word for word in found.tolist() if word not in rows]
        if unknown:
            raise InputError(
                f"{what}: the class {unknown[0]!r} is not in {self.source} "
                f"({', '.join(self.names)})"
            )
        return np.array([rows[word] for word in found.tolist()], np.int32)[inverse]


def make_class_list(
    labels: Mapping[int, str], source: str, unlabelled: Iterable[int] = ()
) -> ClassList:
    """Make the list of classes of labels.

    Args:
        labels: Label -> name, in the order of the classes.
        source: Where they are from, for messages.
        unlabelled: Further labels that mean no label.

    Raises:
        InputError: No label has a class.
    """
    none = set(unlabelled)
    names: dict[str, int] = {}
    rows: dict[int, int] = dict.fromkeys(none, -1)
    left: dict[str, list[int]] = {}
    for label, name in labels.items():
        if label in none:
            continue
        if label == -1 or name.lower() in UNLABELLED:
            left.setdefault(name, []).append(label)
            rows[label] = -1
        else:
            rows[label] = names.setdefault(name, len(names))
    if not names:
        raise InputError(f"{source} names no class")
    notes = [
        f"{name!r} ({', '.join(map(str, numbers))}) of {source} is taken for no label"
        for name, numbers in left.items()
    ]
    return ClassList(tuple(names), rows, source, tuple(notes))


def read_class_list(path: Path, unlabelled: Iterable[int] = ()) -> ClassList:
    """Read a list of classes in any form of this module.

    Raises:
        InputError: The file is absent, of no known form, or names a label twice.
    """
    text = read_text(path)
    if path.suffix.lower() in (".json", ".yaml", ".yml"):
        try:
            content = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
        except (json.JSONDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path} is not valid {path.suffix[1:].upper()} ({reason})") from None
        labels = _from_content(path, content)
    else:
        labels = _from_lines(path, text)
    return make_class_list(labels, str(path), unlabelled)


def _from_lines(path: Path, text: str) -> dict[int, str]:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise InputError(f"{path} is empty; give one class name a line, or a label and a name")
    for pattern, swap in ((_ID_FIRST, False), (_ID_LAST, True)):
        matches = [pattern.fullmatch(line) for line in lines]
        if len(matches) > 1 and matches[0] is None and all(matches[1:]):
            matches = matches[1:]  # a title such as "id,name"
        if all(matches):
            pairs = [(m.group(2), m.group(1)) if swap else m.groups() for m in matches if m]
            return _unique(path, [(int(number), name.strip(" \"'")) for number, name in pairs])
    if any(_ID_FIRST.fullmatch(line) for line in lines):
        wrong = next(line for line in lines if not _ID_FIRST.fullmatch(line))
        raise InputError(f"{path}: {wrong!r} has no label, other lines have; give all one form")
    return _unique(path, enumerate(lines))


def _from_content(path: Path, content: Any) -> dict[int, str]:
    if isinstance(content, dict) and isinstance(content.get("learning_map"), dict):
        return _merged(path, content)
    if isinstance(content, dict):
        content = next((content[key] for key in _BELOW if key in content), content)
    pairs: list[tuple[Any, Any]] | None = None
    if isinstance(content, dict):
        pairs = list(content.items())
        if all(_is_label(value) and not _is_label(key) for key, value in pairs):
            pairs = [(value, key) for key, value in pairs]
    elif isinstance(content, list) and all(isinstance(each, dict) for each in content):
        pairs = [(each.get("id"), each.get("name")) for each in content]
    elif isinstance(content, list):
        pairs = list(enumerate(content))
    if not pairs or not all(_is_label(key) and isinstance(name, str) for key, name in pairs):
        raise InputError(
            f"{path} is no list of classes: give a list of names, or a map from label to name, "
            'such as {"1": "wall", "2": "floor"}'
        )
    return _unique(path, [(int(key), name) for key, name in pairs])


def _merged(path: Path, content: Mapping[str, Any]) -> dict[int, str]:
    """Labels of a file in the form of ``semantic-kitti.yaml``, merged by its learning map."""
    try:
        names, inverse = content["labels"], content["learning_map_inv"]
        ignored, order = content.get("learning_ignore", {}), list(inverse)
        # in the order of the classes in training
        merged = sorted(content["learning_map"].items(), key=lambda pair: order.index(pair[1]))
        return {
            int(label): "ignored" if ignored.get(to) else str(names[inverse[to]])
            for label, to in merged
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged: its learning_map does not fit labels and learning_map_inv "
            f"({error})"
        ) from None


def _is_label(value: Any) -> bool:
    return re.fullmatch(r"-?\d+", str(value).strip()) is not None and not isinstance(value, bool)


def _unique(path: Path, pairs: Iterable[tuple[int, str]]) -> dict[int, str]:
    labels: dict[int, str] = {}
    for label, name in pairs:
        if label in labels:
            raise InputError(f"{path} names the label {label} twice: {labels[label]!r}, {name!r}")
        labels[label] = name
    return labels
