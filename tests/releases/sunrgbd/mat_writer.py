"""Writer of MATLAB files of versions 5 and 7.3, the inverse of ``sunrgbd.mat_files``.

Values are text, struct arrays (lists of dictionaries), cells (lists of text) and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from scipy.io import savemat

from pointcontrast.files import atomic_file

MatVersion = Literal["5", "7.3"]

_REFERENCE = h5py.special_dtype(ref=h5py.Reference)


def write_mat(path: Path, variables: Mapping[str, Any], version: MatVersion = "5") -> None:
    """Write variables to a file, atomically."""
    with atomic_file(path) as partial:
        if version == "5":
            with open(partial, "wb") as file:
                savemat(file, {n: _for_scipy(v) for n, v in variables.items()}, do_compression=True)
            return
        with h5py.File(partial, "w", userblock_size=512) as file:
            hidden = file.create_group("#refs#")
            for name, value in variables.items():
                _to_hdf5(file, name, value, hidden)
        with open(partial, "r+b") as raw:  # header that MATLAB requires before the HDF5 data
            raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def _for_scipy(value: Any) -> Any:
    """Convert struct arrays to structured arrays, cells to object arrays."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = np.empty((1, len(value)), dtype=[(name, object) for name in value[0]])
        for column, record in enumerate(value):
            for name, field in record.items():
                rows[name][0, column] = _for_scipy(field)
        return rows
    if isinstance(value, list):
        cells = np.empty((len(value), 1 if value else 0), dtype=object)
        for row, item in enumerate(value):
            cells[row, 0] = _for_scipy(item)
        return cells
    return value


def _to_hdf5(place: Any, name: str, value: Any, hidden: Any) -> None:
    """Write a value as ``place[name]``; ``hidden`` receives what structs and cells refer to."""
    if isinstance(value, str):
        made = place.create_dataset(
            name, data=np.array([ord(c) for c in value], np.uint16)[:, None]
        )
        made.attrs["MATLAB_class"] = np.bytes_("char")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        made = place.create_group(name)
        made.attrs["MATLAB_class"] = np.bytes_("struct")
        for field in value[0]:
            if len(value) == 1:
                _to_hdf5(made, field, value[0][field], hidden)
            else:
                column = [_reference(record[field], hidden) for record in value]
                made.create_dataset(field, data=np.array(column, _REFERENCE)[:, None])
    elif isinstance(value, list) and value:
        made = place.create_dataset(
            name, data=np.array([_reference(item, hidden) for item in value], _REFERENCE)[None]
        )
        made.attrs["MATLAB_class"] = np.bytes_("cell")
    else:
        array = np.asarray(value, dtype=np.float64)
        if isinstance(value, list) or not array.size:  # MATLAB stores the shape of an empty array
            made = place.create_dataset(name, data=np.zeros(2, np.uint64))
            made.attrs["MATLAB_empty"] = np.uint8(1)
        else:
            made = place.create_dataset(name, data=np.atleast_2d(array).T)
        made.attrs["MATLAB_class"] = np.bytes_("double")


def _reference(value: Any, hidden: Any) -> Any:
    name = str(len(hidden))
    _to_hdf5(hidden, name, value, hidden)
    return hidden[name].ref
