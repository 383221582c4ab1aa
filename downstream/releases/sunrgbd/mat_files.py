"""Reader of MATLAB files: MATLAB's own format up to version 7 (SciPy), HDF5 from 7.3 (h5py)."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from pointcontrast.errors import InputError

_HDF5 = b"MATLAB 7.3"


def read_mat(path: Path) -> dict[str, Any]:
    """Read the variables of a file.

    Returns:
        Name -> value. Text is a str, a struct array a list of dictionaries in MATLAB's order (even
        with one element), a cell array a list. Numbers and truth values are arrays with two or more
        dimensions, as in MATLAB.

    Raises:
        InputError: The file is missing, damaged, or not a MATLAB file.
    """
    try:
        with open(path, "rb") as file:
            is_hdf5 = file.read(len(_HDF5)) == _HDF5
        if is_hdf5:
            with h5py.File(path, "r") as found:
                items = cast(dict[str, Any], dict(found))
                return {n: _from_hdf5(found, i) for n, i in items.items() if n[0] != "#"}
        variables = loadmat(path)
        return {
            str(name): _from_scipy(value)
            for name, value in variables.items()
            if not str(name).startswith("__")
        }
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; download it again") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a .mat file") from None
    except (
        MatReadError, OSError, ValueError, TypeError, KeyError, IndexError, EOFError,
        NotImplementedError, MemoryError, RuntimeError, zlib.error,
    ) as error:  # fmt: skip
        raise InputError(
            f"{path} is damaged or no .mat file ({error}); download it again"
        ) from None


def records(path: Path, variable: str) -> list[dict[str, Any]]:
    """Read a struct array.

    Args:
        path: The file.
        variable: Name of the variable.

    Raises:
        InputError: As of :func:`read_mat`, or the variable does not exist.
    """
    found = read_mat(path).get(variable)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InputError(f"{path} holds no struct {variable!r}; download it again")
    return found


def _from_scipy(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names is not None:
        rows = value.ravel(order="F")
        return [{name: _from_scipy(row[name]) for name in value.dtype.names} for row in rows]
    if value.dtype == object:
        return [_from_scipy(item) for item in value.ravel(order="F")]
    if value.dtype.kind == "U":
        return "".join(value.ravel().tolist())
    return value


def _from_hdf5(file: Any, item: Any) -> Any:
    """Convert a dataset, or a group: a struct of one element, or columns of references."""
    if isinstance(item, h5py.Group):
        columns = cast(dict[str, Any], dict(item))
        if columns and all(_is_column(column) for column in columns.values()):
            values = {
                name: [_from_hdf5(file, file[reference]) for reference in column[()].ravel()]
                for name, column in columns.items()
            }
            return [
                dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)
            ]
        return [{name: _from_hdf5(file, column) for name, column in columns.items()}]
    kind = item.attrs.get("MATLAB_class", b"").decode()
    if item.attrs.get("MATLAB_empty", 0):
        return {"char": "", "cell": [], "struct": []}.get(kind, np.empty((0, 0)))
    if _holds_references(item):
        return [_from_hdf5(file, file[reference]) for reference in item[()].ravel()]
    value = item[()].T  # HDF5 has the axes in reverse order
    if kind == "char":
        return "".join(chr(code) for code in value.ravel().tolist())
    return value


def _is_column(item: Any) -> bool:
    """Return whether it is a field of a struct array: references without a class."""
    return _holds_references(item) and "MATLAB_class" not in item.attrs


def _holds_references(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and h5py.check_ref_dtype(item.dtype) is not None
