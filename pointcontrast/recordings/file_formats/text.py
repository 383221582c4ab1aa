"""Point clouds as text: ``.txt .asc .csv .xyz .xyzn .xyzrgb .pts``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.column_values import valued_columns
from pointcontrast.recordings.file_formats.columns import Columns, named_columns
from pointcontrast.recordings.file_formats.text_table import read_text_table


def read_text(path: Path) -> Columns:
    """Read a table of points: columns by the names of its header, else by their values."""
    table = read_text_table(path)
    if table.names is not None:
        named = named_columns(dict(zip(table.names, table.columns, strict=True)))
        if named is not None:
            return named
    suffix = path.suffix.lower()
    found = valued_columns(table.columns, intensity_first=suffix == ".pts")
    if suffix == ".xyzrgb" and found.colors is None:
        raise InputError(
            f"{path} must have colours of 0..1 or 0..255 in columns 4 to 6, as .xyzrgb has; "
            "save it as .xyz if they are something else"
        )
    notes = tuple(
        f"{note} (a first line such as x y z red green blue states them)" for note in found.notes
    )
    return replace(found, notes=notes)
