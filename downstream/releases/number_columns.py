"""Fast reader of text files with columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv


def number_columns(data: bytes, types: Mapping[str, pa.DataType]) -> list[NDArray[Any]] | None:
    """Read lines of numbers separated by single spaces.

    Args:
        data: Content of the file.
        types: Name -> type of each column.

    Returns:
        Columns (N,), or None if a line has another form; a slower reader then finds the line.
        NaN is read as such.
    """
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(column_names=list(types), use_threads=False),
            parse_options=csv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types=dict(types), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    return [column.to_numpy() for column in table.columns]
