"""The columns of point-cloud and mesh files, as each format stores them.

Readers return what the file says and judge only whether it is whole. What the values mean is
decided in one place for all formats, :mod:`pointcontrast.recordings.point_files`.

``columns.py`` tells columns by their names, ``column_values.py`` by their values. Each other file
reads a family: ``ply.py``, ``text.py`` (by ``text_table.py``), ``pcd.py`` (by ``lzf.py``),
``obj.py``, ``off.py``, ``stl.py``, ``gltf.py``, ``arrays.py``, ``las.py`` and ``e57.py``.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.arrays import read_bin, read_npy, read_npz
from pointcontrast.recordings.file_formats.columns import Columns
from pointcontrast.recordings.file_formats.e57 import read_e57
from pointcontrast.recordings.file_formats.gltf import read_gltf
from pointcontrast.recordings.file_formats.las import read_las
from pointcontrast.recordings.file_formats.obj import read_obj
from pointcontrast.recordings.file_formats.off import read_off
from pointcontrast.recordings.file_formats.pcd import read_pcd
from pointcontrast.recordings.file_formats.ply import read_ply
from pointcontrast.recordings.file_formats.stl import read_stl
from pointcontrast.recordings.file_formats.text import read_text

MESH_SUFFIXES = (".obj", ".off", ".stl", ".glb", ".gltf")
SURVEY_SUFFIXES = (".las", ".laz", ".e57")

READERS: dict[str, Callable[[Path], Columns]] = {
    ".bin": read_bin,
    ".npy": read_npy,
    ".npz": read_npz,
    ".ply": read_ply,
    ".pcd": read_pcd,
    **dict.fromkeys((".txt", ".asc", ".csv", ".xyz", ".xyzn", ".xyzrgb", ".pts"), read_text),
    ".obj": read_obj,
    ".off": read_off,
    ".stl": read_stl,
    **dict.fromkeys((".glb", ".gltf"), read_gltf),
    **dict.fromkeys((".las", ".laz"), read_las),
    ".e57": read_e57,
}
"""Readers by lower-case suffix; each suffix may be followed by ``.gz``.

They raise InputError, or, for damage, what NumPy and plyfile raise.
"""

_THINNING = {".las": read_las, ".laz": read_las, ".e57": read_e57}


def format_of(path: Path) -> str | None:
    """Return the key of ``READERS`` that a name ends with, ``.gz`` not counted; or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in READERS else None


def read_columns(path: Path, max_points: int | None = None) -> Columns:
    """Read the columns of a file, unpacked first if it ends with ``.gz``.

    Args:
        path: File with a suffix of ``READERS``.
        max_points: Largest number of points to read of ``.las``, ``.laz`` and ``.e57``, which are
            read in chunks; None reads all.

    Raises:
        InputError: The suffix is unknown, or the file is damaged; damage may also be what NumPy and
            plyfile raise.
    """
    suffix = format_of(path)
    if suffix is None:
        raise InputError(f"{path} is in none of the formats {', '.join(READERS)}; convert it")
    if path.suffix.lower() == ".gz":
        return _read_unpacked(path, max_points)
    if suffix in _THINNING:
        return _THINNING[suffix](path, max_points)
    return READERS[suffix](path)


def _read_unpacked(path: Path, max_points: int | None) -> Columns:
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / path.stem
        try:
            with gzip.open(path, "rb") as source, open(unpacked, "wb") as target:
                shutil.copyfileobj(source, target)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{path} is damaged or cut short ({error}); pack it again") from None
        try:
            return read_columns(unpacked, max_points)
        except InputError as error:
            raise InputError(str(error).replace(str(unpacked), str(path))) from None
