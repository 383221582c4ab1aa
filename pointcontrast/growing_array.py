"""A ``.npy`` file that is written block by block: its content never has to fit in memory."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pointcontrast.files import sync


class GrowingArray:
    """An array on disk to which rows are appended; the file is the one that ``np.save`` writes.

    The header holds the number of rows, so the file is complete only after :meth:`close`.

    Attributes:
        num_rows: Rows appended so far.
    """

    def __init__(
        self, path: Path, dtype: type[np.generic], row_shape: tuple[int, ...] = ()
    ) -> None:
        """Start an empty array.

        Args:
            path: File to write; an existing one is overwritten.
            dtype: Type of the elements.
            row_shape: Shape of a row.
        """
        self.num_rows = 0
        self._dtype = np.dtype(dtype)
        self._row_shape = row_shape
        self._file: IO[bytes] = open(path, "wb")  # noqa: SIM115 (closed by close)
        self._write_header()
        self._start = self._file.tell()

    def append(self, rows: NDArray[Any]) -> None:
        """Append rows.

        Args:
            rows: (N, *row_shape) array of the file's dtype, N >= 0.

        Raises:
            ValueError: Another shape or dtype.
        """
        if rows.shape[1:] != self._row_shape or rows.dtype != self._dtype:
            raise ValueError(f"rows are {rows.dtype} {rows.shape[1:]}, not {self._dtype}")
        self._file.write(np.ascontiguousarray(rows).data)
        self.num_rows += len(rows)

    def close(self) -> None:
        """Write the final header, flush the file to the disk and close it; idempotent."""
        if self._file.closed:
            return
        with self._file:
            self._file.seek(0)
            self._write_header()
            if self._file.tell() != self._start:  # NumPy pads headers for the number to grow
                raise RuntimeError("the header of the array outgrew its place")
            sync(self._file)

    def _write_header(self) -> None:
        header = {
            "descr": npy.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.num_rows, *self._row_shape),
        }
        npy.write_array_header_1_0(self._file, header)
