"""A ``.npy`` file that is written row by row, so that its content never has to fit in memory."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


class GrowingArray:
    """Rows are appended; the header, which says how many there are, is written last.

    Attributes:
        num_rows: so far.
    """

    def __init__(
        self, path: Path, dtype: type[np.generic], row_shape: tuple[int, ...] = ()
    ) -> None:
        """Start an empty array whose rows are of ``dtype`` and ``row_shape``."""
        self.num_rows = 0
        self._dtype = np.dtype(dtype)
        self._row_shape = row_shape
        self._file: IO[bytes] = open(path, "wb")  # noqa: SIM115 (closed by close)
        self._write_header()
        self._start = self._file.tell()

    def append(self, rows: NDArray[Any]) -> None:
        """Append (N, *row_shape) rows of the array's type.

        Raises:
            ValueError: they are of another shape or type.
        """
        if rows.shape[1:] != self._row_shape or rows.dtype != self._dtype:
            raise ValueError(f"rows are {rows.dtype} {rows.shape[1:]}, not {self._dtype}")
        self._file.write(np.ascontiguousarray(rows).data)
        self.num_rows += len(rows)

    def close(self) -> None:
        """Write how many rows there are, and close the file."""
        if self._file.closed:
            return
        self._file.seek(0)
        self._write_header()
        grown = self._file.tell() != self._start  # NumPy leaves room for the number to grow
        self._file.close()
        if grown:
            raise RuntimeError("the header of the array outgrew its place")

    def _write_header(self) -> None:
        header = {
            "descr": npy.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.num_rows, *self._row_shape),
        }
        npy.write_array_header_1_0(self._file, header)
