"""Columns of numbers in a text file, as fast as they can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv


def number_columns(data: bytes, types: Mapping[str, pa.DataType]) -> list[NDArray[Any]] | None:
    """Read lines of numbers with one space between.

    Args:
        data: the file.
        types: name of each column and what it holds.

    Returns:
        The columns (N,), NaN where that is written; None where a line is anything else: then it
        is for a slower reader to say which.
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
