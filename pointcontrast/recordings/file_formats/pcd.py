"""PCD, the format of the Point Cloud Library: ASCII, binary and compressed.

PointCloudLibrary/pcl, doc/tutorials/content/pcd_file_format.rst: FIELDS, SIZE, TYPE and COUNT
describe a point, WIDTH and HEIGHT an organised cloud, whose points are NaN where the sensor saw
nothing. ``binary`` holds the points one after the other, ``binary_compressed`` each field of all
points, compressed by LZF.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.columns import Columns, named_columns
from pointcontrast.recordings.file_formats.lzf import decompress

_KINDS = {"F": "f", "I": "i", "U": "u"}
_LONGEST_HEADER = 65536


@dataclass(frozen=True)
class _Header:
    fields: tuple[tuple[str, np.dtype[Any], int], ...]  # name, dtype, count
    num_points: int
    data: str
    start: int
    viewpoint: tuple[float, ...]


def read_pcd(path: Path) -> Columns:
    """Read a PCD; all its fields of one number per point."""
    content = path.read_bytes()
    header = _read_header(path, content)
    body = content[header.start :]
    if header.data == "ascii":
        table = _read_ascii(path, body, header)
    elif header.data == "binary":
        table = _read_binary(path, body, header)
    else:
        table = _read_compressed(path, body, header)
    columns = named_columns(table)
    if columns is None:
        names = " ".join(name for name, _, _ in header.fields)
        raise InputError(f"{path}: its FIELDS are {names}, but not x y z; export it again")
    notes = columns.notes
    if header.viewpoint and header.viewpoint != (0, 0, 0, 1, 0, 0, 0):
        pose = " ".join(f"{number:g}" for number in header.viewpoint)
        notes = (*notes, f"its VIEWPOINT {pose} is not applied")
    return replace(columns, notes=notes)


def _read_header(path: Path, content: bytes) -> _Header:
    found = re.search(rb"^\s*DATA[ \t]+(\w+)[ \t]*\r?\n?", content[:_LONGEST_HEADER], re.MULTILINE)
    text = content[: found.start() if found else _LONGEST_HEADER].decode("latin-1")
    lines = [line.split() for line in text.splitlines()]
    words = {line[0].upper(): line[1:] for line in lines if line and line[0] != "#"}
    names = words.get("FIELDS") or words.get("COLUMNS")
    if found is None or not names:
        raise InputError(f"{path} is not a PCD file: no FIELDS or no DATA in its header")
    data = found[1].decode().lower()
    try:
        sizes = [int(word) for word in words["SIZE"]]
        kinds = [_KINDS[word.upper()] for word in words["TYPE"]]
        counts = [int(word) for word in words.get("COUNT", ["1"] * len(names))]
        dtypes = [np.dtype(f"<{kind}{size}") for kind, size in zip(kinds, sizes, strict=True)]
        fields = tuple(zip(names, dtypes, counts, strict=True))
        size = [int(words[key][0]) for key in ("WIDTH", "HEIGHT") if key in words]
        num_points = int(words["POINTS"][0]) if "POINTS" in words else int(np.prod(size))
        viewpoint = tuple(float(word) for word in words.get("VIEWPOINT", ()))
    except (KeyError, ValueError, TypeError, IndexError):
        raise InputError(
            f"{path}: the header of this PCD is damaged (FIELDS, SIZE, TYPE, COUNT, POINTS); "
            "export it again"
        ) from None
    if data not in ("ascii", "binary", "binary_compressed"):
        raise InputError(f"{path}: DATA {data} is no form of PCD; export it again")
    if len(size) == 2 and size[0] * size[1] != num_points:
        raise InputError(
            f"{path} is damaged or cut short (WIDTH x HEIGHT is {size[0]} x {size[1]}, but POINTS "
            f"{num_points}); export it again"
        )
    return _Header(fields, num_points, data, found.end(), viewpoint)


def _read_ascii(path: Path, body: bytes, header: _Header) -> dict[str, NDArray[Any]]:
    width = sum(count for _, _, count in header.fields)
    if not body.strip():
        _check_count(path, header.num_points, 0)
        return {name: np.empty(0, dtype) for name, dtype, count in header.fields if count == 1}
    try:
        rows = np.loadtxt(io.StringIO(body.decode("latin-1")), ndmin=2, comments=None)
    except ValueError as error:
        lines = [line for line in body.splitlines() if line.strip()]
        whole = sum(len(line.split()) == width for line in lines)
        _check_count(path, header.num_points, whole)
        raise InputError(f"{path} is damaged ({error}); export it again") from None
    _check_count(path, header.num_points, len(rows) if rows.shape[1] == width else 0)
    if len(rows) > header.num_points:
        raise InputError(
            f"{path}: its header promises {header.num_points} points, {len(rows)} are there; "
            "export it again"
        )
    table, at = {}, 0
    for name, dtype, count in header.fields:
        if count == 1 and name != "_":
            # whole numbers beyond float32, such as packed colours, stay float64 until unpacked
            column = rows[:, at]
            packed = name.lower() in ("rgb", "rgba")
            table[name] = column if packed or dtype.kind == "f" else column.astype(dtype)
        at += count
    return table


def _read_binary(path: Path, body: bytes, header: _Header) -> dict[str, NDArray[Any]]:
    record = np.dtype([(f"f{i}", d, (c,)) for i, (_, d, c) in enumerate(header.fields)])
    _check_count(path, header.num_points, len(body) // record.itemsize)
    points = np.frombuffer(body, record, header.num_points)
    return {
        name: points[f"f{i}"][:, 0]
        for i, (name, _, count) in enumerate(header.fields)
        if count == 1 and name != "_"
    }


def _read_compressed(path: Path, body: bytes, header: _Header) -> dict[str, NDArray[Any]]:
    sizes = np.frombuffer(body[:8], "<u4")
    if len(sizes) < 2 or len(body) < 8 + int(sizes[0]):
        raise InputError(
            f"{path} is damaged or cut short (its header promises {header.num_points} points, "
            "compressed, and its data end before); export it again"
        )
    raw = decompress(body[8 : 8 + int(sizes[0])], int(sizes[1]))
    per_point = sum(dtype.itemsize * count for _, dtype, count in header.fields)
    _check_count(path, header.num_points, len(raw) // per_point)
    table, at = {}, 0
    for name, dtype, count in header.fields:
        if count == 1 and name != "_":
            table[name] = np.frombuffer(raw, dtype, header.num_points, at)
        at += dtype.itemsize * count * header.num_points
    return table


def _check_count(path: Path, promised: int, found: int) -> None:
    if found < promised:
        raise InputError(
            f"{path} is damaged or cut short (its header promises {promised} points, {found} can "
            "be read); export it again"
        )
