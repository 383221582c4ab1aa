"""Rows of numbers in text, parsed by Arrow, several times faster than NumPy does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NAN = ["nan", "NaN", "NAN", "-nan"]


def columns_of_rows(
    body: bytes, width: int, *, separator: str = " ", decimal: str = ".", whole: bool = False
) -> list[NDArray[Any]] | None:
    """Parse rows that all have the same number of columns, one separator between two of them.

    Args:
        body: Text of the rows, UTF-8.
        width: Number of columns.
        separator: One character.
        decimal: Character of decimals.
        whole: Whether all are whole numbers.

    Returns:
        ``width`` columns of float64 (int64 if ``whole``), as exact as Python's ``float``; None
        where the rows are anything else, for a slower reader to take or to refuse.
    """
    import pyarrow as pa
    from pyarrow import csv

    names = [str(column) for column in range(width)]
    kind = pa.int64() if whole else pa.float64()
    try:
        table = csv.read_csv(
            pa.BufferReader(body),
            csv.ReadOptions(column_names=names, use_threads=False),
            csv.ParseOptions(delimiter=separator, quote_char=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, kind), null_values=_NAN, decimal_point=decimal
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    if whole and any(table[name].null_count for name in names):
        return None
    return [np.array(table[name], dtype=np.int64 if whole else np.float64) for name in names]
