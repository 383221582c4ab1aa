"""The table of all inputs: the kinds of fault, and the rows of every ``rows_*.py``."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

from tests.inputs.row import Row

KINDS = {
    "A": "places lose digits",
    "B": "units and ranges",
    "C": "absent is not empty",
    "D": "one bad item, a real release",
    "E": "copies",
    "F": "order and meaning of classes",
    "G": "messages",
    "H": "expected forms",
    "I": "a recording taken for another",
    "J": "colours of clouds",
    "K": "a changed source",
    "L": "resuming under other settings",
    "M": "weights",
    "N": "forms of files, and the command line",
}
"""Kinds of fault. A row may also name a format as its kind."""


def all_rows() -> list[Row]:
    """The rows of all files, in the order of their names."""
    files = sorted(Path(__file__).parent.glob("rows_*.py"))
    modules = [importlib.import_module(f"tests.inputs.{path.stem}") for path in files]
    return [row for module in modules for row in module.ROWS]


def rows_per_kind(rows: list[Row]) -> Counter[str]:
    """Number of rows of each kind, the kinds without a row included."""
    counts = Counter(dict.fromkeys(KINDS, 0))
    counts.update(row.kind for row in rows)
    return counts
