"""Which column of a scan holds the labels.

CloudCompare writes a scalar field "Classification" as the PLY property ``scalar_Classification``
(CloudCompare ``libs/qCC_io/src/PlyFilter.cpp``) and as a column of its ASCII files, NaN where a
point has no value. Names are compared without case and without that prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

LABEL_NAMES = ("label", "labels", "class", "classes", "class_id", "classification", "semantic",
               "semantics", "semantic_label", "semantic_labels", "sem_label", "sem_labels",
               "semantic_gt", "semantic_id", "semantic_class", "sem_class", "sem", "label_id",
               "gt", "ground_truth", "category", "segmentation")  # fmt: skip
"""Names of columns that hold labels, in lower case."""

INSTANCE_NAMES = ("instance", "instances", "instance_id", "instance_ids", "instance_label",
                  "instance_labels", "ins", "ins_label", "ins_class", "object_id",
                  "instance_gt")  # fmt: skip
"""Names of columns that hold numbers of objects, in lower case."""

_MOST_LABELS = 1024


def find_field(
    fields: Mapping[str, NDArray[Any]], wanted: str | None, names: tuple[str, ...], option: str
) -> str | None:
    """Find a column by its name.

    Args:
        fields: Columns of the scan by name; those without names are called "column 4" and so on.
        wanted: Name that the user states, or the number of a column; None looks for ``names``.
        names: Names that such a column usually has.
        option: Option that states the name, for messages.

    Returns:
        Key of ``fields``; None if nothing is stated and no name fits.

    Raises:
        InputError: The stated name is no column's, or several columns fit.
    """
    plain = {name: _plain(name) for name in fields}
    if wanted is None:
        found = [name for name in fields if plain[name] in names]
    elif wanted in fields:
        return wanted
    elif wanted.isdigit():
        found = [name for name in fields if name == f"column {wanted}"]
    else:
        found = [name for name in fields if plain[name] == _plain(wanted)]
    if len(found) > 1:
        raise InputError(f"has the columns {', '.join(found)}; choose one by {option}")
    if wanted is not None and not found:
        raise InputError(f"has no column {wanted!r}; {described(fields)}")
    return found[0] if found else None


def only_labels(fields: Mapping[str, NDArray[Any]]) -> str | None:
    """Return the only column of a table without names, if it holds whole numbers."""
    name, *others = fields or ("",)
    if others or not name.startswith("column "):
        return None
    values = fields[name]
    whole = values.dtype.kind in "iu" or bool(
        values.dtype.kind == "f" and (np.rint(values) == values).all()
    )
    return name if whole and len(np.unique(values)) <= _MOST_LABELS else None


def described(fields: Mapping[str, NDArray[Any]]) -> str:
    """Describe the columns of a scan, with their ranges, for a message."""
    if not fields:
        return "it has no columns besides coordinates, colours and normals"
    parts = []
    for name, values in list(fields.items())[:12]:
        if values.dtype.kind not in "fiu":
            parts.append(f"{name} (words)")
            continue
        known = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        extent = f"{known.min():g}..{known.max():g}" if len(known) else "NaN"
        parts.append(f"{name} ({extent})")
    more = f" and {len(fields) - 12} more" if len(fields) > 12 else ""
    return f"its columns are {', '.join(parts)}{more}"


def title_of(name: str) -> str:
    """Return how a message names a column."""
    return name if name.startswith("column ") else f"column {name}"


def _plain(name: str) -> str:
    low = name.strip().strip("\"'/#%").strip().lower()
    for start in ("scalar_", "scalar field ", "scalar_field_"):
        low = low.removeprefix(start)
    return low.replace(" ", "_").replace("-", "_")
